import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDataFolder, type DataFolder } from './data-folder.js';
import { agentProgram, divide, fleetProgram } from './demo-fleet.js';

const nodes = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: String(index), node: { name: `node-${index}` } }));

const NATS = { url: 'nats://127.0.0.1:1', mqttUrl: null, creds: null, fleetCreds: 'fleet.creds', ca: 'ca.pem' };

describe('divide', () => {
  it('given a fleet, then three nodes spread over it are real and the rest is simulated', () => {
    const { real, simulated } = divide(nodes(321));

    expect(real.map(({ id }) => id)).toEqual(['0', '107', '214']);
    expect(simulated).toHaveLength(318);
  });

  it.each([
    [1, 1, 0],
    [2, 2, 0],
    [3, 3, 0],
    [4, 3, 1],
  ])('given %i nodes, then %i are real and %i simulated', (count, real, simulated) => {
    const divided = divide(nodes(count));

    expect(divided.real).toHaveLength(real);
    expect(divided.simulated).toHaveLength(simulated);
  });
});

describe('given a stack that was told its secrets by environment', () => {
  const SECRETS = {
    MUSTER_ADMIN_TOKEN: 'secret-secret-secret',
    MUSTER_DATABASE_URL: 'postgres://root:secret@db/muster',
    MUSTER_NATS_URL: 'nats://root:secret@bus',
    MUSTER_TEST_POSTGRES_URL: 'postgres://root:secret@test',
    PGPASSWORD: 'secret',
    GITHUB_TOKEN: 'secret',
  };
  let dataDir: string;
  let folder: DataFolder;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'muster-fleet-'));
    folder = await openDataFolder(dataDir);
    for (const [name, value] of Object.entries(SECRETS)) vi.stubEnv(name, value);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(dataDir, { recursive: true });
  });

  const ours = (env: NodeJS.ProcessEnv) =>
    Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('MUSTER_')));

  it('when an agent is started, then it gets its site and its name and cannot reboot, and none of them', () => {
    const node = { name: 'atl-1', attributes: { city: 'Atlanta' } };
    const { env, args } = agentProgram({ id: 'id', node }, folder, 'demo', NATS);

    expect(ours(env)).toEqual({
      MUSTER_SITE_DIR: join(folder.sites, 'atl-1'),
      MUSTER_NODE_NAME: 'atl-1',
      MUSTER_NODE_CITY: 'Atlanta',
      MUSTER_REBOOT_COMMAND: expect.stringContaining('exit 1') as string,
    });
    expect(args?.join(' ')).toContain('--nats nats://127.0.0.1:1 --creds fleet.creds --ca ca.pem');
    expect(JSON.stringify(env)).not.toContain('secret');
    expect(env.PATH).toBe(process.env.PATH);
  });

  it('when the fleet is started, then it gets the data folder, and none of them', async () => {
    const { env } = await fleetProgram(nodes(2), folder, dataDir, 0);

    expect(ours(env)).toEqual({ MUSTER_DATA_DIR: dataDir });
    expect(JSON.stringify(env)).not.toContain('secret');
    expect(env.PATH).toBe(process.env.PATH);
  });
});
