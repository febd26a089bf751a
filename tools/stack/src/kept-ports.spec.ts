import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@muster/servers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepPorts, keptPorts } from './kept-ports.js';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-ports-'));
  file = join(folder, 'ports.json');
});
afterEach(() => rm(folder, { recursive: true }));

describe('the ports of the bus', () => {
  it('given those of the last run, when they are free, then they are taken again', async () => {
    const ports = { port: await freePort(), mqttPort: await freePort() };
    await keepPorts(file, ports);
    expect(await keptPorts(file)).toEqual(ports);
  });

  it('given one that somebody else has taken, then new ones are chosen', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await keepPorts(file, { port, mqttPort: await freePort() });
    expect(await keptPorts(file)).toBeUndefined();
    server.close();
  });

  it.each(['', 'garbage', '{}', '[]', '{"port":-1,"mqttPort":1}', 'null'])(
    'given the file %j, then it is like a first start',
    async (text) => {
      await writeFile(file, text);
      expect(await keptPorts(file)).toBeUndefined();
    },
  );
});
