import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFleetOptions } from './fleet.options.js';

describe('given the options of a fleet', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'muster-options-'));
    const stack = {
      gateway: { url: 'http://g' },
      nats: { url: 'nats://n', fleetCreds: 'f.creds', ca: null },
      token: 't',
      project: 'demo',
    };
    writeFileSync(join(dir, 'stack.json'), JSON.stringify(stack));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const read = (line: string, env = { MUSTER_DATA_DIR: dir }) => readFleetOptions(line.split(' '), env);

  it('when a stack runs here, then the fleet goes there', () => {
    expect(read('--count 3 --prefix n')).toEqual({
      source: { count: 3, prefix: 'n' },
      behaviour: {
        seed: 'muster',
        failureRate: 0,
        latency: { from: 10, to: 100 },
        offlineRate: 0,
        duplicateRate: 0,
        reorderRate: 0,
        lyingRate: 0,
        driftRate: 0,
        failingVersions: [],
      },
      connections: 4,
      gateway: 'http://g',
      token: 't',
      nats: 'nats://n',
      creds: 'f.creds',
      ca: undefined,
      project: 'demo',
    });
  });

  it('when options say where, then they win over the stack', () => {
    const options =
      '--latency 7 --offline-rate 0.5 --offline-seconds 3 --lying 0.1 --drifting 1 --failing-versions 2.0,3';
    expect(read(`--devices-from f --project p ${options}`)).toMatchObject({
      source: { file: 'f' },
      behaviour: {
        latency: { from: 7, to: 7 },
        offlineRate: 0.5,
        lyingRate: 0.1,
        driftRate: 1,
        failingVersions: ['2.0', '3'],
      },
      offlineSeconds: 3,
      project: 'p',
    });
  });

  it('when no stack runs here and an option is missing, then that is said in one line', () => {
    const env = { MUSTER_DATA_DIR: join(dir, 'none') };
    expect(() => read('--count 1 --prefix n --url http://g', env)).toThrow(/^no stack runs here .*$/);
    const complete = '--count 1 --prefix n --url http://g --token t --nats nats://n --project p';
    expect(read(complete, env).gateway).toBe('http://g');
  });

  it.each([
    ['--count 0 --prefix n', '--count: must be a whole number, 1 to 1000000'],
    ['--count 1e3 --prefix n', '--count: must be a whole number, 1 to 1000000'],
    ['--count 3', '--count and --prefix, or --devices-from, are required'],
    ['--count 3 --prefix n --devices-from f', '--devices-from: cannot be combined with --count or --prefix'],
    ['--count 3 --prefix n --failure-rate 1.1', '--failure-rate: must be 0 to 1'],
    ['--count 3 --prefix n --failure-rate x', '--failure-rate: must be 0 to 1'],
    ['--count 3 --prefix n --lying 2', '--lying: must be 0 to 1'],
    ['--count 3 --prefix n --failing-versions 2.0,', '--failing-versions: must be versions, V or V,V'],
    ['--count 3 --prefix n --latency 9-3', '--latency: must be milliseconds, MS or MS-MS'],
    ['--count 3 --prefix n --connections 0', '--connections: must be a whole number, 1 to 1000'],
    ['--count 3 --prefix n --project A', '--project: must be 1 to 40 of a-z, 0-9, -'],
  ])('when they are %s, then it is refused', (line, message) => {
    expect(() => read(line)).toThrow(message);
  });

  it('when an option is unknown, then it is named', () => {
    expect(() => read('--count 3 --prefix n --speed 9')).toThrow(/'--speed'/);
  });
});
