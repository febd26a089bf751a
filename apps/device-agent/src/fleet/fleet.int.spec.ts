import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PROJECT, startBus, type TestBus } from '../../test/bus.js';
import { isOffline, type Behaviour } from './behaviour.js';
import type { EndLine, ExecutionLine } from './execution.lines.js';
import { LineLog } from './line.log.js';
import { Fleet, type FleetOptions } from './fleet.js';

const WAIT = { timeout: 15_000, interval: 20 };

describe('given a simulated fleet and a bus', () => {
  const devices = Array.from({ length: 200 }, (_, i) => ({ id: randomUUID(), name: `n-${i}` }));
  let bus: TestBus;
  let fleet: Fleet | undefined;
  beforeEach(async () => {
    bus = await startBus();
    await bus.createStreams();
  });
  afterEach(async () => {
    await fleet?.stop();
    await bus.stop();
  });

  async function start(behaviour: Partial<Behaviour>, options: Partial<FleetOptions> = {}): Promise<Fleet> {
    const rates = { failureRate: 0, offlineRate: 0, duplicateRate: 0, reorderRate: 0, lyingRate: 0, driftRate: 0 };
    fleet = await Fleet.start({
      nats: bus.url,
      project: PROJECT,
      devices,
      connections: 3,
      behaviour: { seed: 's', latency: { from: 0, to: 20 }, failingVersions: [], ...rates, ...behaviour },
      ...options,
    });
    return fleet;
  }
  const deadline = new Date(Date.now() + 3600_000).toISOString();
  const newCommands = () =>
    devices.map(({ id }) => ({
      device: id,
      message: { command_id: randomUUID(), command: 'node_upgrade', args: {}, attempt: 1, fence: 1, deadline },
    }));
  const send = async (commands: ReturnType<typeof newCommands>) => {
    for (const { device, message } of commands) await bus.send(device, 'command', message);
  };
  const ended = (status: string) => bus.on('status').filter(({ payload }) => payload.status === status);

  it('when it starts, then each device has said hello, and each answers its own command', async () => {
    const { counts } = await start({});
    expect(counts).toMatchObject({ devices: 200, online: 200 });
    expect(new Set(bus.on('hello').map((one) => one.device)).size).toBe(200);

    const commands = newCommands();
    await send(commands);
    await vi.waitFor(() => expect(ended('success')).toHaveLength(200), WAIT);
    const pairs = ended('success').map(({ device, payload }) => `${device} ${payload.command_id}`);
    expect(pairs.sort()).toEqual(commands.map(({ device, message }) => `${device} ${message.command_id}`).sort());
  });

  it('when every command comes twice, then each is answered and none executed twice, as the log proves', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'muster-fleet-'));
    const [file, ends] = [join(dir, 'executions.ndjson'), join(dir, 'ends.ndjson')];
    const executionLog = await LineLog.open<ExecutionLine>(file, '--executions');
    const endLog = await LineLog.open<EndLine>(ends, '--ends');
    await start({ duplicateRate: 0.5, reorderRate: 0.5 }, { executionLog, endLog });
    const commands = newCommands();
    await send(commands);
    await send(commands);
    await vi.waitFor(() => expect(new Set(ended('success').map((one) => one.device)).size).toBe(200), WAIT);
    await vi.waitFor(() => expect(fleet?.counts.repeated).toBe(200), WAIT);
    expect(fleet?.counts).toMatchObject({ executions: 200, executed_again: 0, succeeded: 200, failed: 0 });
    await fleet?.stop();
    fleet = undefined;
    const linesOf = <Line>(path: string) =>
      readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line);
    const executed = linesOf<ExecutionLine>(file);
    const told = linesOf<EndLine>(ends);
    expect(executed.map(({ device_id, command_id, fence }) => `${device_id} ${command_id} ${fence}`).sort()).toEqual(
      commands.map(({ device, message }) => `${device} ${message.command_id} 1`).sort(),
    );
    expect(told.map(({ command_id, status }) => `${command_id} ${status}`).sort()).toEqual(
      commands.map(({ message }) => `${message.command_id} success`).sort(),
    );
    rmSync(dir, { recursive: true });
  });

  it('when some are to fail, then those fail, and a new attempt of them is executed again', async () => {
    await start({ failureRate: 0.5 });
    const commands = newCommands();
    await send(commands);
    await vi.waitFor(() => expect(ended('success').length + ended('failure').length).toBe(200), WAIT);
    const failed = new Set(ended('failure').map((one) => one.payload.command_id));
    expect(failed.size).toBeGreaterThan(60);
    expect(failed.size).toBeLessThan(140);

    await send(commands.map(({ device, message }) => ({ device, message: { ...message, attempt: 2, fence: 2 } })));
    const answered = () => bus.on('status').filter(({ payload }) => payload.fence === 2);
    await vi.waitFor(() => expect(answered()).toHaveLength(200), WAIT);
    expect(fleet?.counts).toMatchObject({ executions: 200 + failed.size, executed_again: failed.size });
  });

  it('when some are offline, then they say and answer nothing until they come online', async () => {
    const behaviour = { seed: 's', offlineRate: 0.5 } as Behaviour;
    const absent = devices.filter(({ name }) => isOffline(behaviour, name)).length;
    await start(behaviour, { offlineSeconds: 1 });
    expect(absent).toBeGreaterThan(60);
    expect(fleet?.counts.online).toBe(200 - absent);
    const commands = newCommands();
    await send(commands);
    await vi.waitFor(() => expect(ended('success')).toHaveLength(200 - absent), WAIT);
    await vi.waitFor(() => expect(bus.on('hello')).toHaveLength(200), WAIT);
    await send(commands);
    await vi.waitFor(() => expect(fleet?.counts.executions).toBe(200), WAIT);
  });

  it('when its connections break, then they come back, and every device says hello again', async () => {
    await start({});
    bus.cut();
    const again = () =>
      new Set(
        bus
          .on('hello')
          .slice(200)
          .map((one) => one.device),
      );
    await vi.waitFor(() => expect(again().size).toBe(200), WAIT);
    await send(newCommands());
    await vi.waitFor(() => expect(ended('success')).toHaveLength(200), WAIT);
  });

  it('when all are rebooted, then each is away, says hello in a new boot, and only then succeeds by it', async () => {
    await start({ latency: { from: 50, to: 100 } });
    const first = bus.on('hello')[0]?.payload['boot_id'];
    const reboots = newCommands().map(({ device, message }) => ({
      device,
      message: { ...message, command: 'REBOOT' },
    }));
    await send(reboots);
    await vi.waitFor(() => expect(ended('success')).toHaveLength(200), WAIT);
    for (const { device, payload } of ended('success')) {
      const said = bus.heard.filter((one) => one.device === device && one.channel !== 'heartbeat');
      expect(said.map(({ channel, payload: { status } }) => status ?? channel)).toEqual([
        'hello',
        'acknowledged',
        'hello',
        'success',
      ]);
      expect(payload['evidence']).toEqual({ before: first, after: said[2]?.payload['boot_id'] });
      expect(said[2]?.payload['boot_id']).not.toBe(first);
    }
    await send(reboots);
    await vi.waitFor(() => expect(fleet?.counts.repeated).toBe(200), WAIT);
    expect(fleet?.counts.executions).toBe(200);
  });

  it('when garbage comes, or commands for devices of others, then nobody answers', async () => {
    await start({});
    await bus.send(devices[0]?.id as string, 'command', '{');
    await bus.send(devices[0]?.id as string, 'cancel', { fence: 'x' });
    await bus.send(randomUUID(), 'command', newCommands()[0]?.message);
    await send(newCommands().slice(0, 1));
    await vi.waitFor(() => expect(ended('success')).toHaveLength(1), WAIT);
    expect(fleet?.counts).toMatchObject({ dropped: 2, executions: 1 });
  });
});
