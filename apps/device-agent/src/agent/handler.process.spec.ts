import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HandlerProcess } from './handler.process.js';

/** What a shell sets by itself. */
const OF_THE_SHELL = ['PWD', 'OLDPWD', 'SHLVL', '_'];

describe('given a handler', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'muster-handler-'));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it('when the agent has secrets in its environment, then the handler gets what is listed and nothing else', async () => {
    const own = Object.keys(process.env).filter((name) => name !== 'PATH');
    for (const name of own) vi.stubEnv(name, undefined);
    const passed = {
      HOME: '/var/lib/edge',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      TMPDIR: '/tmp',
      MUSTER_SITE_DIR: '/srv/site',
      MUSTER_NODE_NAME: 'atl-1',
      MUSTER_NODE_CITY: 'Atlanta',
      MUSTER_REBOOT_COMMAND: 'shutdown -r now',
    };
    const kept = {
      MUSTER_ADMIN_TOKEN: 'installation-token',
      MUSTER_DATABASE_URL: 'postgres://root:secret@db/muster',
      MUSTER_NATS_URL: 'nats://agent:secret@bus',
      MUSTER_CREDS: '/etc/agent.creds',
      GITHUB_TOKEN: 'secret',
      NODE_OPTIONS: '--no-warnings',
    };
    for (const [name, value] of Object.entries({ ...passed, ...kept })) vi.stubEnv(name, value);
    const file = join(folder, 'work');
    writeFileSync(file, '#!/bin/sh\nenv > seen\n', { mode: 0o755 });

    expect(await new HandlerProcess(file, '', { progress: () => undefined, reboot: () => false }).ended).toMatchObject({
      exitCode: 0,
    });

    const lines = readFileSync(join(folder, 'seen'), 'utf8').trimEnd().split('\n');
    const seen = lines.map((line) => line.split(/=(.*)/s)).filter(([name]) => !OF_THE_SHELL.includes(name!));
    const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`;
    expect(Object.fromEntries(seen) as NodeJS.ProcessEnv).toEqual({ ...passed, PATH: path });
  });
});
