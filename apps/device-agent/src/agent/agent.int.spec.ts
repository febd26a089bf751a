import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PROJECT, startBus, type TestBus } from '../../test/bus.js';
import { Agent } from './agent.js';

const WAIT = { timeout: 15_000, interval: 20 };

describe('given an agent and a bus', () => {
  const device = '01900000-0000-7000-8000-000000000001';
  let bus: TestBus;
  let root: string;
  let agents: Agent[];
  let logged: string[];
  beforeEach(async () => {
    bus = await startBus();
    root = mkdtempSync(join(tmpdir(), 'muster-agent-'));
    mkdirSync(join(root, 'handlers'));
    writeFileSync(
      join(root, 'handlers', 'work.sh'),
      `#!/bin/sh\necho run >> runs\necho '{"a":1,"reported":{"b":2}}'\n`,
      {
        mode: 0o755,
      },
    );
    agents = [];
    logged = [];
  });
  afterEach(async () => {
    for (const agent of agents) await agent.stop();
    await bus.stop();
    rmSync(root, { recursive: true });
  });

  function newAgent(): Agent {
    const options = {
      project: PROJECT,
      device,
      nats: bus.url,
      handlers: join(root, 'handlers'),
      state: join(root, 'state'),
    };
    const agent = new Agent(options, (_level, msg) => void logged.push(msg));
    agents.push(agent);
    return agent;
  }
  const command = (command_id = randomUUID()) => ({
    command_id,
    command: 'work',
    args: {},
    attempt: 1,
    fence: 1,
    deadline: new Date(Date.now() + 60_000).toISOString(),
  });
  const words = () => bus.on('status').map(({ payload }) => payload.status);
  const runs = () =>
    readFileSync(join(root, 'handlers', 'runs'), 'utf8')
      .trim()
      .split('\n').length;

  it('when it starts, then its hello is kept, and what is sent in answer is executed, on one trace', async () => {
    await bus.createStreams();
    await newAgent().start();
    expect(bus.on('hello')).toMatchObject([
      {
        device,
        payload: { agent: 'muster-agent', version: expect.any(String) as string, reported: { handlers: ['work'] } },
      },
    ]);
    await bus.send(device, 'command', command(), '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
    await vi.waitFor(() => expect(words().at(-1)).toBe('success'), WAIT);
    const said = bus.heard.slice(1);
    expect(said.map(({ channel, payload }) => payload.status ?? channel)).toEqual([
      'acknowledged',
      'report',
      'success',
    ]);
    expect(said.at(-1)?.payload).toMatchObject({ evidence: { a: 1, reported: { b: 2 } } });
    expect(new Set(said.map((one) => one.traceparent))).toEqual(
      new Set(['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01']),
    );
  });

  it('when garbage comes, then it is dropped with a line in the log, and the next command is executed', async () => {
    await bus.createStreams();
    await newAgent().start();
    const garbage = ['', '{', 'null', '[]', '{"command_id":"../x"}', { ...command(), fence: 0 }];
    for (const payload of garbage) {
      await bus.send(device, 'command', payload);
      await bus.send(device, 'cancel', payload);
    }
    await bus.send(device, 'command', { ...command(), args: 3 });
    await bus.send(device, 'command', { ...command(), command: '../handlers/work' });
    await bus.send(device, 'command', command());
    await vi.waitFor(() => expect(words().at(-1)).toBe('success'), WAIT);
    expect(bus.on('status').flatMap(({ payload }) => payload.code ?? [])).toEqual(['no_handler']);
    expect(logged.filter((msg) => msg === 'message dropped')).toHaveLength(2 * garbage.length + 1);
    expect(runs()).toBe(1);
  });

  it('when the connection breaks, then it comes back, says hello again, and is not asked in vain', async () => {
    await bus.createStreams();
    await newAgent().start();
    bus.cut();
    await vi.waitFor(() => expect(bus.on('hello')).toHaveLength(2), WAIT);
    const message = command();
    await bus.send(device, 'command', message);
    await vi.waitFor(() => expect(words().at(-1)).toBe('success'), WAIT);
    await bus.send(device, 'command', message);
    await vi.waitFor(() => expect(words()).toEqual(['acknowledged', 'success', 'success']), WAIT);
    expect(runs()).toBe(1);
  });

  it('when nobody keeps what it says, then it is told after a restart, once somebody does', async () => {
    const first = newAgent();
    void first.start();
    await vi.waitFor(() => expect(bus.on('hello').length).toBeGreaterThan(0), WAIT);
    const message = command();
    await bus.send(device, 'command', message);
    await vi.waitFor(() => expect(existsSync(join(root, 'state', 'outbox'))).toBe(true), WAIT);
    await vi.waitFor(() => expect(readdirSync(join(root, 'state', 'outbox'))).toHaveLength(2), WAIT);
    await first.stop();

    await bus.createStreams();
    await newAgent().start();
    const jsm = await bus.nc.jetstreamManager();
    await vi.waitFor(async () => expect((await jsm.streams.info('MUSTER_DEV_STATUS')).state.messages).toBe(1), WAIT);
    const kept = await jsm.streams.getMessage('MUSTER_DEV_STATUS', { seq: 1 });
    expect(kept.json()).toMatchObject({ command_id: message.command_id, status: 'success', evidence: { a: 1 } });
    expect((await jsm.streams.info('MUSTER_DEV_REPORT')).state.messages).toBe(1);
    await vi.waitFor(() => expect(readdirSync(join(root, 'state', 'outbox'))).toEqual([]), WAIT);
    expect(runs()).toBe(1);
  });

  it('when there is no bus yet, then it waits for one, and can be stopped meanwhile', async () => {
    const agent = new Agent(
      {
        project: PROJECT,
        device,
        nats: 'nats://127.0.0.1:1',
        handlers: join(root, 'handlers'),
        state: join(root, 'state'),
      },
      (_level, msg) => void logged.push(msg),
    );
    const started = agent.start().catch((error: Error) => error.name);
    await vi.waitFor(() => expect(logged).toContain('bus not reached yet'), WAIT);
    await agent.stop();
    expect(await started).toBe('AbortError');
  });
});
