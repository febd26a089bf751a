import type { CommandMessage, JsonObject } from '@muster/contracts';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PROJECT, startBus, type Heard, type TestBus } from '../../test/bus.js';

const WAIT = { timeout: 20_000, interval: 20 };
const APP = fileURLToPath(new URL('../../', import.meta.url));
const ROOT = join(APP, '../..');
/** Has Node run TypeScript, that of the other packages too, so that the test needs no build. */
const ON_SOURCES = ['--conditions=@muster/source', '--import', 'jiti/register'];

describe('given the agent as a process of its own, with the example handlers', () => {
  const device = '01900000-0000-7000-8000-000000000002';
  let bus: TestBus;
  let root: string;
  let agent: ChildProcess;
  beforeEach(async () => {
    bus = await startBus();
    await bus.createStreams();
    root = mkdtempSync(join(tmpdir(), 'muster-process-'));
  });
  afterEach(async () => {
    await kill();
    await bus.stop();
    rmSync(root, { recursive: true });
  });

  /** Starts the agent in a boot, and resolves once its hello is kept. */
  async function boot(bootId: string): Promise<JsonObject> {
    const hellos = bus.on('hello').length;
    const options = { project: PROJECT, device, nats: bus.url, handlers: join(APP, 'handlers'), 'boot-id': bootId };
    const args = Object.entries({ ...options, state: join(root, 'state') }).flatMap(([name, is]) => [`--${name}`, is]);
    agent = spawn(process.execPath, [...ON_SOURCES, join(APP, 'src', 'agent.main.ts'), ...args], {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'],
        MUSTER_SITE_DIR: join(root, 'site'),
        MUSTER_REBOOT_COMMAND: `echo reboot >> ${join(root, 'reboots')}`,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await vi.waitFor(() => expect(bus.on('hello').length).toBeGreaterThan(hellos), WAIT);
    return bus.on('hello').at(-1)?.payload as JsonObject;
  }
  /** Ends the agent as a machine that goes down at once. */
  async function kill(): Promise<void> {
    if (agent.exitCode !== null || agent.signalCode !== null) return;
    const exited = once(agent, 'exit');
    agent.kill('SIGKILL');
    await exited;
  }
  const command = (name: string, args: JsonObject = {}): CommandMessage => ({
    command_id: randomUUID(),
    command: name,
    args,
    attempt: 1,
    fence: 1,
    deadline: new Date(Date.now() + 60_000).toISOString(),
  });
  const said = ({ command_id }: CommandMessage) =>
    bus.on('status').filter(({ payload }) => payload.command_id === command_id);
  const words = (message: CommandMessage) => said(message).map(({ payload }) => payload.status);
  const isEnd = ({ payload }: Heard) => payload.status === 'success' || payload.status === 'failure';
  /** Sends a command and resolves with all that the device has said from its receipt to its end. */
  async function run(message: CommandMessage): Promise<Heard[]> {
    const from = bus.heard.length;
    await bus.send(device, 'command', message);
    await vi.waitFor(() => expect(said(message).slice(-1).some(isEnd)).toBe(true), WAIT);
    return bus.heard.slice(from).filter(({ payload }) => payload.status !== 'inprogress');
  }
  const order = (heard: Heard[]) => heard.map(({ channel, payload }) => payload.status ?? channel);

  it('when each command is sent, then what it changed is reported before it succeeds, and hello tells it all again', async () => {
    expect(await boot('boot-1')).toMatchObject({
      boot_id: 'boot-1',
      reported: {
        handlers: [
          'CONVERGE',
          'REBOOT',
          'deployment_deploy',
          'deployment_remove',
          'deployment_upgrade',
          'node_upgrade',
        ],
      },
    });
    const converge = command('CONVERGE', { desired: { sampling: { seconds: 5 } }, provision: false });
    const commands: [CommandMessage, JsonObject][] = [
      [converge, { sampling: { seconds: 5 } }],
      [command('node_upgrade', { version: '2.1' }), { version: '2.1' }],
      [
        command('deployment_deploy', { deployment_id: 'd-1', deployment: { name: 'shop' } }),
        { deployments: { 'd-1': { name: 'shop', version: '1.0.0' } } },
      ],
      [
        command('deployment_upgrade', { deployment_id: 'd-1', version: '1.1' }),
        { deployments: { 'd-1': { name: 'shop', version: '1.1' } } },
      ],
    ];
    for (const [message, reported] of commands) {
      const heard = await run(message);
      expect(order(heard)).toEqual(['acknowledged', 'report', 'success']);
      expect(heard[1]?.payload).toMatchObject({ reported });
    }

    const reports = bus.on('report').length;
    await bus.send(device, 'command', converge);
    await vi.waitFor(() => expect(words(converge)).toHaveLength(3), WAIT);
    expect(words(converge).at(-1)).toBe('success');
    expect(bus.on('report')).toHaveLength(reports);

    await kill();
    expect((await boot('boot-2'))['reported']).toMatchObject({
      sampling: { seconds: 5 },
      version: '2.1',
      deployments: { 'd-1': { version: '1.1', state: 'running' } },
    });
  });

  it('when a deployment is removed, then that is reported before it succeeds, and hello tells nothing of it', async () => {
    await boot('boot-1');
    await run(command('deployment_deploy', { deployment_id: 'd-1', version: '1.1' }));
    const heard = await run(command('deployment_remove', { deployment_id: 'd-1' }));
    expect(order(heard)).toEqual(['acknowledged', 'report', 'success']);
    expect(heard[1]?.payload).toEqual({ reported: { deployments: { 'd-1': null } } });
    expect(heard[2]?.payload['evidence']).toMatchObject({ before: '1.1', deployment_id: 'd-1' });
    await kill();
    expect((await boot('boot-2'))['reported']).toHaveProperty('deployments', {});
  });

  it('when a difference cannot be applied, then the failure names the key', async () => {
    await boot('boot-1');
    const heard = await run(command('CONVERGE', { desired: { label: 'a', os: { type: 'Plan9' } }, provision: false }));
    expect(order(heard)).toEqual(['acknowledged', 'report', 'failure']);
    expect(heard[1]?.payload).toEqual({ reported: { label: 'a' } });
    expect(heard[2]?.payload).toMatchObject({
      code: 'not_converged',
      reason: expect.stringMatching(/^os: /) as string,
    });
  });

  it('when an unknown deployment is to be upgraded, then the code says so', async () => {
    await boot('boot-1');
    const heard = await run(command('deployment_upgrade', { deployment_id: 'd-9', version: '1.1' }));
    expect(heard.at(-1)?.payload).toMatchObject({ status: 'failure', code: 'unknown_deployment' });
  });

  describe('that is told to reboot and then killed', () => {
    const reboots = () => readFileSync(join(root, 'reboots'), 'utf8').trim().split('\n').length;
    async function goDown(message: CommandMessage): Promise<void> {
      await boot('boot-1');
      await bus.send(device, 'command', message);
      await vi.waitFor(() => expect(existsSync(join(root, 'reboots'))).toBe(true), WAIT);
      await vi.waitFor(() => expect(words(message)).toEqual(['acknowledged']), WAIT);
      await kill();
    }

    it('when the machine boots anew, then the boot ids prove it, and a second copy reboots nothing', async () => {
      const message = command('REBOOT');
      await goDown(message);
      expect(await boot('boot-2')).toMatchObject({ boot_id: 'boot-2' });
      await vi.waitFor(() => expect(words(message)).toEqual(['acknowledged', 'success']), WAIT);
      expect(said(message).at(-1)?.payload['evidence']).toEqual({ before: 'boot-1', after: 'boot-2' });
      await bus.send(device, 'command', message);
      await vi.waitFor(() => expect(words(message)).toEqual(['acknowledged', 'success', 'success']), WAIT);
      expect(reboots()).toBe(1);
    });

    it('when only the agent comes back, then it has not rebooted', async () => {
      const message = command('REBOOT');
      await goDown(message);
      await boot('boot-1');
      await vi.waitFor(() => expect(words(message)).toEqual(['acknowledged', 'failure']), WAIT);
      expect(said(message).at(-1)?.payload).toMatchObject({ code: 'not_rebooted' });
      expect(reboots()).toBe(1);
    });
  });
});
