import { makeScratch, removeScratch } from '@muster/testing';
import type { Authenticator } from 'nats';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { doorOptions } from './connect.js';
import { fleetUser, makeKeys } from './index.js';

let scratch: string;
beforeAll(async () => void (scratch = await makeScratch()));
afterAll(() => removeScratch(scratch));

const someCreds = async () => {
  const keys = await makeKeys();
  return fleetUser({ account: keys.account, seed: keys.accountSeed }, 'acme');
};

describe('the door to the bus', () => {
  it('given credentials that are replaced, then each connecting has the newest, and while the file is of no use the last', async () => {
    const [creds, before, after] = [join(scratch, 'a.creds'), await someCreds(), await someCreds()];
    writeFileSync(creds, before);
    const { authenticator } = doorOptions({ url: 'nats://bus', creds, inbox: '_INBOX' });
    const signsWith = () => ((authenticator as Authenticator)('nonce') as { jwt: string }).jwt;
    expect(before).toContain(signsWith());
    for (const spoil of [
      () => writeFileSync(creds, ''),
      () => writeFileSync(creds, after.slice(0, 200)),
      () => rmSync(creds),
    ]) {
      spoil();
      expect(before).toContain(signsWith());
    }
    writeFileSync(creds, after);
    expect(after).toContain(signsWith());
    rmSync(creds);
    expect(after).toContain(signsWith());
  });

  it('given a file that is not there, then it is told at once', () => {
    expect(() => doorOptions({ url: 'nats://bus', creds: join(scratch, 'none'), inbox: '_INBOX' })).toThrow(/none/);
  });
});
