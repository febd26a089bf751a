import type { CommandMessage, StatusMessage } from '@muster/contracts';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Behaviour } from './behaviour.js';
import { SimulatedDevice } from './simulated-device.js';

const command: CommandMessage = {
  command_id: '01900000-0000-7000-8000-000000000001',
  command: 'deployment_deploy',
  args: { deployment_id: 'd-1' },
  attempt: 1,
  fence: 1,
  deadline: '2030-01-01T00:00:00Z',
};

function simulate(change: Partial<Behaviour> = {}) {
  const said: { channel: string; payload: Partial<StatusMessage>; traceparent: string | undefined }[] = [];
  const counts = { executed: 0, again: 0, repeated: 0 };
  const behaviour = { seed: 's', failureRate: 0, offlineRate: 0, duplicateRate: 0, reorderRate: 0 };
  const device = new SimulatedDevice(
    { id: 'id', name: 'n-1' },
    {
      behaviour: { ...behaviour, latency: { from: 50, to: 50 }, ...change },
      say: (_device, channel, payload, traceparent) => said.push({ channel, payload, traceparent }),
      executed: (_device, _command, _fence, again) => {
        counts.executed++;
        if (again) counts.again++;
      },
      ended: () => undefined,
      repeated: () => {
        counts.repeated++;
      },
    },
  );
  const words = () =>
    said.map(({ channel, payload }) => (channel === 'report' ? 'report' : `${payload.status} ${payload.fence}`));
  return { device, said, counts, words };
}

describe('given a simulated device', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('when a deployment comes, then it reports and proves it after its latency, on the same trace', () => {
    const { device, said, words } = simulate();
    device.receive(command, '00-trace');
    vi.advanceTimersByTime(49);
    expect(words()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(words()).toEqual(['report', 'success 1']);
    expect(said[0]?.payload).toMatchObject({ reported: { deployments: { 'd-1': { state: 'running' } } } });
    const sha256 = createHash('sha256').update('{"deployment_id":"d-1"}').digest('hex');
    expect(said[1]?.payload.evidence).toEqual({ deployment_id: 'd-1', sha256 });
    expect(said.map((one) => one.traceparent)).toEqual(['00-trace', '00-trace']);
  });

  it('when the command comes again, then it is answered again and executed once', () => {
    const { device, words, counts } = simulate();
    device.receive(command);
    device.receive(command);
    vi.advanceTimersByTime(50);
    device.receive(command);
    expect(words()).toEqual(['inprogress 1', 'report', 'success 1', 'report', 'success 1']);
    expect(counts).toEqual({ executed: 1, again: 0, repeated: 2 });
  });

  it('when a failed command is attempted anew, then that is a second execution', () => {
    const { device, words, counts } = simulate({ failureRate: 1 });
    device.receive(command);
    vi.advanceTimersByTime(50);
    device.receive({ ...command, attempt: 2, fence: 2 });
    vi.advanceTimersByTime(50);
    device.receive(command);
    expect(words()).toEqual(['failure 1', 'failure 2']);
    expect(counts).toMatchObject({ executed: 2, again: 1 });
  });

  it('when a succeeded command is attempted anew, then it is answered with the new fence and not executed', () => {
    const { device, words, counts } = simulate();
    device.receive(command);
    vi.advanceTimersByTime(50);
    device.receive({ ...command, attempt: 2, fence: 2 });
    expect(words()).toEqual(['report', 'success 1', 'report', 'success 2']);
    expect(counts.executed).toBe(1);
  });

  it('when it takes long, then it says first that it has the command; reordered, that comes last', () => {
    const slow = simulate({ latency: { from: 5000, to: 5000 } });
    slow.device.receive(command);
    expect(slow.words()).toEqual(['acknowledged 1']);

    const reordered = simulate({ latency: { from: 5000, to: 5000 }, reorderRate: 1, duplicateRate: 1, failureRate: 1 });
    reordered.device.receive(command);
    vi.advanceTimersByTime(5000);
    expect(reordered.words()).toEqual(['failure 1', 'failure 1', 'acknowledged 1']);
  });

  it('when it is cancelled, then it fails once and never succeeds', () => {
    const { device, said, words } = simulate();
    device.receive(command);
    device.cancel({ command_id: command.command_id, fence: 1 });
    vi.advanceTimersByTime(1000);
    expect(words()).toEqual(['failure 1']);
    expect(said[0]?.payload.code).toBe('cancelled');
    device.receive(command);
    expect(words()).toEqual(['failure 1', 'failure 1']);
  });

  it('when the cancel is meant for another attempt, then the command goes on', () => {
    const { device, words } = simulate();
    device.receive({ ...command, fence: 2 });
    device.cancel({ command_id: command.command_id, fence: 1 });
    device.cancel({ command_id: command.command_id, fence: 3 });
    vi.advanceTimersByTime(50);
    expect(words()).toEqual(['report', 'success 2']);
  });
});
