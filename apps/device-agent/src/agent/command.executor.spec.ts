import { NOT_STORABLE, type CommandMessage, type JsonObject, type StatusMessage } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CommandExecutor } from './command.executor.js';
import { CommandMemory } from './command.memory.js';
import { MAX_EVIDENCE } from './handler.output.js';
import type { Outgoing } from './outbox.js';

const WAIT = { timeout: 10_000, interval: 10 };
/** Waits for the file `go` in its folder, so that a test decides when it ends. */
const UNTIL_GO = 'while [ ! -e go ]; do sleep 0.02; done';

describe('given an agent that executes commands', () => {
  let root: string;
  let handlers: string;
  let said: Outgoing[];
  let executor: CommandExecutor;

  /** What a restarted agent is: the same disk, and nothing else. */
  const start = (bootId = 'boot-1') => {
    const started = new CommandExecutor({
      handlers,
      memory: new CommandMemory(join(root, 'memory')),
      say: (outgoing) => said.push(outgoing),
      bootId,
      log: () => undefined,
    });
    started.settleReboots();
    return started;
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'muster-executor-'));
    handlers = join(root, 'handlers');
    mkdirSync(handlers);
    said = [];
    executor = start();
  });
  afterEach(async () => {
    await executor.stop(0);
    rmSync(root, { recursive: true });
  });

  /** Every handler counts its runs first. */
  const handler = (script: string) =>
    writeFileSync(join(handlers, 'work.sh'), `#!/bin/sh\necho run >> runs\n${script}\n`, { mode: 0o755 });
  const runs = () =>
    existsSync(join(handlers, 'runs')) ? readFileSync(join(handlers, 'runs'), 'utf8').split('\n').length - 1 : 0;
  const go = () => writeFileSync(join(handlers, 'go'), '');
  const command = (change: Partial<CommandMessage> = {}): CommandMessage => ({
    command_id: randomUUID(),
    command: 'work',
    args: { size: 3 },
    attempt: 1,
    fence: 1,
    deadline: new Date(Date.now() + 60_000).toISOString(),
    ...change,
  });
  const statuses = () => said.flatMap((one) => (one.channel === 'status' ? [one.payload] : []));
  const words = () => statuses().map(({ status, fence, code }) => [status, fence, code].filter(Boolean).join(' '));
  const last = (status: StatusMessage['status']) =>
    vi.waitFor(() => {
      const found = statuses().at(-1);
      expect(found?.status).toBe(status);
      return found as StatusMessage;
    }, WAIT);

  it('when its handler ends well, then it answers with the evidence, the trace and, before, the report', async () => {
    handler(`cat > input; echo '{"reported":{"version":"2"}}'`);
    const message = command();
    executor.receive({ message, traceparent: '00-trace' });

    expect(await last('success')).toMatchObject({ evidence: { reported: { version: '2' } } });
    expect(said.map(({ channel, traceparent }) => `${channel} ${traceparent}`)).toEqual([
      'status 00-trace',
      'report 00-trace',
      'status 00-trace',
    ]);
    expect(words()).toEqual(['acknowledged 1', 'success 1']);
    expect(JSON.parse(readFileSync(join(handlers, 'input'), 'utf8')) as JsonObject).toEqual(message);
  });

  it('when its handler fails, then the exit code and the last of stderr say why', async () => {
    handler('echo "no space left" >&2; exit 28');
    executor.receive({ message: command() });
    expect(await last('failure')).toMatchObject({ code: 'exit_28', reason: 'no space left' });
  });

  it('when its handler names the failure and reports what it has done all the same, then both are told', async () => {
    handler(`echo 'code half_done'; echo '{"reported":{"a":1}}'; exit 1`);
    executor.receive({ message: command() });
    expect(await last('failure')).toMatchObject({ code: 'half_done', evidence: { reported: { a: 1 } } });
    expect(said.map(({ channel }) => channel)).toEqual(['status', 'report', 'status']);
  });

  it('when its handler tells progress, then it is passed on, though not every step', async () => {
    handler(`for n in 1 2 3 4 5; do echo progress $n; done; ${UNTIL_GO}`);
    executor.receive({ message: command() });
    await vi.waitFor(() => expect(statuses().at(-1)?.progress).toBe(5), WAIT);
    expect(statuses().length).toBeLessThan(5);
    go();
    await last('success');
  });

  it('when the evidence could not be kept by a server, then it is dropped, and nothing of it is reported', async () => {
    handler(String.raw`printf '%s' '{"reported":{"label":"a\u0000b"}}'`);
    executor.receive({ message: command() });
    const success = await last('success');
    expect(success.evidence).toBeUndefined();
    expect(success.reason).toBe(`evidence dropped: ${NOT_STORABLE}`);
    expect(said.map(({ channel }) => channel)).toEqual(['status', 'status']);
  });

  it('when the evidence is too large, then the success says that it was dropped', async () => {
    handler(`printf '{"x":"%${MAX_EVIDENCE}s"}' x`);
    executor.receive({ message: command() });
    const success = await last('success');
    expect(success.evidence).toBeUndefined();
    expect(success.reason).toMatch('evidence dropped');
  });

  it('when there is no handler, or it cannot start, then it fails with a code of its own', async () => {
    executor.receive({ message: command({ command: 'unknown' }) });
    expect(await last('failure')).toMatchObject({ code: 'no_handler' });
    writeFileSync(join(handlers, 'work'), '#!/no/such/interpreter\n', { mode: 0o755 });
    executor.receive({ message: command() });
    await vi.waitFor(() => expect(statuses().at(-1)?.code).toBe('not_started'), WAIT);
  });

  it('when the deadline passes, then the handler and all it has started are killed', async () => {
    handler('trap "" TERM; sleep 600 & echo $! > child; wait');
    executor.receive({ message: command({ deadline: new Date(Date.now() + 300).toISOString() }) });
    expect(await last('failure')).toMatchObject({ code: 'deadline' });
    const child = Number(readFileSync(join(handlers, 'child'), 'utf8'));
    await vi.waitFor(() => expect(isRunning(child)).toBe(false), WAIT);
  });

  it('when it ends on being killed, then what it has started is killed all the same', async () => {
    handler('(trap "" TERM; echo up > up; exec sleep 600) & echo $! > child; wait');
    const message = command();
    executor.receive({ message });
    await vi.waitFor(() => expect(existsSync(join(handlers, 'up'))).toBe(true), WAIT);
    executor.cancel({ command_id: message.command_id, fence: 1 });
    expect(await last('failure')).toMatchObject({ code: 'cancelled' });
    const child = Number(readFileSync(join(handlers, 'child'), 'utf8'));
    await vi.waitFor(() => expect(isRunning(child)).toBe(false), WAIT);
  });

  it('when the deadline has passed already, then nothing runs', async () => {
    handler('exit 0');
    executor.receive({ message: command({ deadline: new Date(Date.now() - 1000).toISOString() }) });
    expect(await last('failure')).toMatchObject({ code: 'deadline' });
    expect(runs()).toBe(0);
  });

  it('when the deadline is months away, then the command is not killed at once', async () => {
    handler(UNTIL_GO);
    executor.receive({ message: command({ deadline: new Date(Date.now() + 90 * 24 * 3600 * 1000).toISOString() }) });
    await vi.waitFor(() => expect(runs()).toBe(1), WAIT);
    go();
    await last('success');
  });

  it('when a command comes again while it runs and after, then it runs once and each copy is answered', async () => {
    handler(UNTIL_GO);
    const message = command();
    executor.receive({ message });
    executor.receive({ message });
    go();
    const success = await last('success');
    executor.receive({ message });
    expect(words()).toEqual(['acknowledged 1', 'inprogress 1', 'success 1', 'success 1']);
    expect(statuses().at(-1)).toEqual(success);
    expect(runs()).toBe(1);
  });

  it('when the agent was restarted since, then it still answers and does not run again', async () => {
    handler(`echo '{"a":1}'`);
    const message = command();
    executor.receive({ message });
    await last('success');

    executor = start();
    executor.receive({ message });
    executor.receive({ message: { ...message, attempt: 2, fence: 2 } });
    expect(words()).toEqual(['acknowledged 1', 'success 1', 'success 1', 'success 2']);
    expect(statuses().at(-1)?.evidence).toEqual({ a: 1 });
    expect(runs()).toBe(1);
  });

  it('when the agent died in the middle, then the attempt was interrupted, and only a new one runs', async () => {
    handler('exit 0');
    const message = command();
    const { command_id, fence } = message;
    new CommandMemory(join(root, 'memory')).remember({ command_id, fence, started: new Date().toISOString() });

    executor = start();
    executor.receive({ message });
    executor.receive({ message });
    expect(words()).toEqual(['failure 1 interrupted', 'failure 1 interrupted']);
    expect(runs()).toBe(0);

    executor.receive({ message: { ...message, attempt: 2, fence: 2 } });
    await last('success');
    expect(words().slice(2)).toEqual(['acknowledged 2', 'success 2']);
    executor.receive({ message });
    expect(words()).toHaveLength(4);
  });

  it('when a new attempt comes while the old one runs, then that run answers for it', async () => {
    handler(UNTIL_GO);
    const message = command();
    executor.receive({ message });
    executor.receive({ message: { ...message, attempt: 2, fence: 2 } });
    go();
    await last('success');
    expect(words()).toEqual(['acknowledged 1', 'inprogress 2', 'success 2']);
    expect(runs()).toBe(1);
  });

  it('when a failed command is attempted anew, then it runs again', async () => {
    handler('exit 1');
    const message = command();
    executor.receive({ message });
    await last('failure');
    handler('exit 0');
    executor.receive({ message: { ...message, attempt: 2, fence: 2 } });
    await last('success');
    expect(runs()).toBe(2);
  });

  it('when it is cancelled, then it is killed, unless the cancel is meant for another attempt', async () => {
    handler(UNTIL_GO);
    const message = command({ fence: 3 });
    executor.receive({ message });
    executor.cancel({ command_id: message.command_id, fence: 2 });
    executor.cancel({ command_id: message.command_id, fence: 4 });
    executor.receive({ message });
    expect(words()).toEqual(['acknowledged 3', 'inprogress 3']);
    executor.cancel({ command_id: message.command_id, fence: 3 });
    expect(await last('failure')).toMatchObject({ code: 'cancelled', fence: 3 });
  });

  it('when a cancel comes after its handler has ended, and only a daemon holds its output, then that end is told', async () => {
    handler(`echo '{"done":true}'; sleep 5 & echo $$ > pid`);
    const message = command();
    executor.receive({ message });
    const pid = await vi.waitFor(() => Number(/^(\d+)\n$/.exec(readFileSync(join(handlers, 'pid'), 'utf8'))![1]), WAIT);
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), WAIT);
    executor.cancel({ command_id: message.command_id, fence: 1 });
    expect(await last('success')).toMatchObject({ evidence: { done: true } });
  });

  it('when a cancel overtakes its command, then the command does not run', async () => {
    handler('exit 0');
    const message = command();
    executor.cancel({ command_id: message.command_id, fence: 1 });
    executor.receive({ message });
    expect(words()).toEqual(['failure 1 cancelled', 'failure 1 cancelled']);
    expect(runs()).toBe(0);
  });

  it('when a new attempt comes while the old one is being stopped, then it runs after that', async () => {
    handler(`trap 'while [ ! -e go ]; do sleep 0.02; done; exit 0' TERM; touch ready; sleep 600 & wait`);
    const message = command();
    executor.receive({ message });
    await vi.waitFor(() => expect(existsSync(join(handlers, 'ready'))).toBe(true), WAIT);
    executor.cancel({ command_id: message.command_id, fence: 1 });
    executor.receive({ message: { ...message, attempt: 2, fence: 2 } });
    handler('exit 0');
    go();
    await last('success');
    expect(words()).toEqual(['acknowledged 1', 'failure 1 cancelled', 'acknowledged 2', 'success 2']);
    expect(runs()).toBe(2);
  });

  it('when the agent stops, then a command that needs too long was interrupted, and no other is taken', async () => {
    handler('sleep 600');
    executor.receive({ message: command() });
    const stopping = executor.stop(50);
    executor.receive({ message: command() });
    await stopping;
    expect(words()).toEqual(['acknowledged 1', 'failure 1 interrupted']);
  });

  describe('whose handler reboots the machine', () => {
    /** It reads the answer to `reboot`, and ends as a handler does that has set the reboot going. */
    const REBOOTS = 'echo reboot; read -r answer <&3; echo "$answer" > answer';
    const rebooting = async (script = REBOOTS) => {
      handler(script);
      rmSync(join(handlers, 'answer'), { force: true });
      const message = command();
      executor.receive({ message, traceparent: '00-trace' });
      const [file, record] = [join(handlers, 'answer'), join(root, 'memory', `${message.command_id}.json`)];
      await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toBe('noted\n'), WAIT);
      expect(JSON.parse(readFileSync(record, 'utf8'))).toMatchObject({ reboot: { before: 'boot-1' } });
      return message;
    };

    it('when another boot follows, then it has succeeded, and no copy of it reboots again', async () => {
      const message = await rebooting();
      executor.receive({ message });
      await executor.stop(1000);
      expect(words()).toEqual(['acknowledged 1', 'inprogress 1']);

      executor = start('boot-2');
      const success = { status: 'success', evidence: { before: 'boot-1', after: 'boot-2' } };
      expect(said.at(-1)).toMatchObject({ traceparent: '00-trace', payload: success });
      executor.receive({ message });
      executor.receive({ message: { ...message, attempt: 2, fence: 2 } });
      executor = start('boot-3');
      expect(words().slice(2)).toEqual(['success 1', 'success 1', 'success 2']);
      expect(statuses().at(-1)).toMatchObject(success);
      expect(runs()).toBe(1);
    });

    it('when the agent dies without a last word, then the boot settles it all the same', async () => {
      const message = await rebooting(`${REBOOTS}; sleep 600`);
      const after = start('boot-2');
      after.receive({ message });
      expect(words()).toEqual(['acknowledged 1', 'success 1', 'success 1']);
    });

    it('when the shutdown ends the agent while the handler still runs, then the next boot is the result', async () => {
      await rebooting(`${REBOOTS}; sleep 600`);
      await executor.stop(0);
      executor = start('boot-2');
      expect(words()).toEqual(['acknowledged 1', 'success 1']);
    });

    it('when the agent starts in the same boot, then it has not rebooted, and only a new attempt tries again', async () => {
      const message = await rebooting();
      await executor.stop(1000);
      executor = start('boot-1');
      executor.receive({ message });
      expect(words()).toEqual(['acknowledged 1', 'failure 1 not_rebooted', 'failure 1 not_rebooted']);
      executor.receive({ message: { ...message, attempt: 2, fence: 2 } });
      await vi.waitFor(() => expect(runs()).toBe(2), WAIT);
    });

    it('when the machine is still up at the deadline, then it has not rebooted', async () => {
      const message = await rebooting();
      const deadline = new Date(Date.now() + 100).toISOString();
      executor.receive({ message: { ...message, attempt: 2, fence: 2, deadline } });
      expect(await last('failure')).toMatchObject({ code: 'not_rebooted' });
      await executor.stop(0);
      start('boot-2');
      expect(words()).toEqual(['acknowledged 1', 'inprogress 2', 'failure 2 not_rebooted']);
    });

    it('when the reboot cannot be set going, or is cancelled before, then that is the end of it', async () => {
      await rebooting(`${REBOOTS}; echo "Access denied" >&2; exit 4`);
      expect(await last('failure')).toMatchObject({ code: 'exit_4', reason: 'Access denied' });
      const message = await rebooting(`${REBOOTS}; sleep 600`);
      executor.cancel({ command_id: message.command_id, fence: 1 });
      expect(await last('failure')).toMatchObject({ code: 'cancelled' });
      executor = start('boot-2');
      expect(words()).toHaveLength(4);
    });

    it('when it cannot be noted, then the handler is not told that it is', async () => {
      handler(`while [ ! -e go ]; do sleep 0.02; done; echo reboot; read -r answer <&3 || exit 9`);
      executor.receive({ message: command() });
      rmSync(join(root, 'memory'), { recursive: true });
      go();
      expect(await last('failure')).toMatchObject({ code: 'exit_9' });
    });
  });

  it('when the start cannot be remembered, then the command does not run', () => {
    handler('exit 0');
    rmSync(join(root, 'memory'), { recursive: true });
    executor.receive({ message: command() });
    expect(words()).toEqual([]);
    expect(runs()).toBe(0);
  });
});

function isRunning(pid: number): boolean {
  try {
    // A zombie that nobody has waited for yet runs no more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
