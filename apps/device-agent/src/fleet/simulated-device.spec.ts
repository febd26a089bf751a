import type { CommandMessage, JsonObject, StatusMessage } from '@muster/contracts';
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
  const said: { channel: string; payload: Partial<StatusMessage> & JsonObject; traceparent: string | undefined }[] = [];
  const counts = { executed: 0, again: 0, repeated: 0 };
  const behaviour = {
    seed: 's',
    failureRate: 0,
    offlineRate: 0,
    duplicateRate: 0,
    reorderRate: 0,
    lyingRate: 0,
    driftRate: 0,
    failingVersions: [],
  };
  const device = new SimulatedDevice(
    { id: 'id', name: 'n-1' },
    {
      bootId: 'boot-1',
      hello: async (which) =>
        void said.push({ channel: 'hello', payload: { boot_id: which.bootId }, traceparent: undefined }),
      behaviour: { ...behaviour, latency: { from: 50, to: 50 }, ...change },
      say: (_device, channel, payload, traceparent) =>
        said.push({ channel, payload: payload as JsonObject, traceparent }),
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
    said.map(({ channel, payload }) => (channel === 'status' ? `${payload.status} ${payload.fence}` : channel));
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
    expect(said[0]?.payload).toMatchObject({
      reported: { deployments: { 'd-1': { name: 'd-1', version: '1.0.0', state: 'running' } } },
    });
    const sha256 = createHash('sha256').update('{"deployment_id":"d-1"}').digest('hex');
    expect(said[1]?.payload.evidence).toEqual({ deployment_id: 'd-1', version: '1.0.0', sha256 });
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

  describe('that is told what to be', () => {
    const told = (name: string, args: JsonObject, number: number, fence = 1): CommandMessage => {
      const command_id = `01900000-0000-7000-8000-00000000001${number}`;
      return { ...command, command_id, command: name, args, fence };
    };
    const converge = told('CONVERGE', { desired: { mode: null, radio: { band: 5 } }, provision: false }, 1);

    it('when a difference comes, then its report covers that before it succeeds, each time it is asked', () => {
      const { device, said, words } = simulate();
      device.receive(converge);
      vi.advanceTimersByTime(50);
      device.receive(converge);
      expect(words()).toEqual(['report', 'success 1', 'report', 'success 1']);
      expect(said[0]?.payload).toEqual({ reported: { mode: null, radio: { band: 5 } } });
      expect(said[2]).toEqual(said[0]);
      vi.advanceTimersByTime(10_000);
      expect(words()).toHaveLength(4);
    });

    it('when nothing differs, or an upgrade names no version, then it has nothing to report', () => {
      const { device, words } = simulate();
      device.receive(told('CONVERGE', { desired: {}, provision: false }, 1));
      device.receive(told('node_upgrade', {}, 2));
      vi.advanceTimersByTime(50);
      expect(words()).toEqual(['success 1', 'success 1']);
    });

    it('when it drifts, then some time later it reports another value of what it was told to be, once', () => {
      const { device, said, words } = simulate({ driftRate: 1 });
      device.online = true;
      device.receive(converge);
      vi.advanceTimersByTime(5_050);
      device.receive(converge);
      vi.advanceTimersByTime(10_000);
      expect(words()).toEqual(['report', 'success 1', 'report', 'success 1']);
      expect(said[2]?.payload).toEqual({ reported: { radio: { band: -5 } } });
    });

    it('when it lies, then it says success, reports nothing, and is what it was', () => {
      const { device, said, words } = simulate({ lyingRate: 1 });
      device.receive(converge);
      device.receive(told('REBOOT', {}, 2));
      vi.advanceTimersByTime(50);
      device.receive(converge);
      expect(words()).toEqual(['success 1', 'success 1', 'success 1']);
      expect(said[1]?.payload.evidence).toEqual({ before: 'boot-1', after: 'boot-1' });
    });

    it('when versions change, then the evidence says from what, and so it does when asked again', () => {
      const { device, said } = simulate();
      const evidence = (message: CommandMessage) => {
        device.receive(message);
        vi.advanceTimersByTime(50);
        const { status, code, evidence: proof } = said.at(-1)?.payload ?? {};
        return status === 'success' ? proof : code;
      };
      const upgrade = (version: string, number: number) =>
        told('deployment_upgrade', { deployment_id: 'd-1', version }, number);
      expect(evidence(upgrade('1.1', 1))).toBe('unknown_deployment');
      evidence(command);
      expect(evidence(upgrade('1.1', 2))).toEqual({ before: '1.0.0', after: '1.1', deployment_id: 'd-1' });
      expect(evidence(upgrade('1.2', 3))).toEqual({ before: '1.1', after: '1.2', deployment_id: 'd-1' });
      expect(evidence(upgrade('1.1', 2))).toEqual({ before: '1.0.0', after: '1.1', deployment_id: 'd-1' });
      expect(evidence(told('node_upgrade', { version: '2' }, 4))).toEqual({ before: '1.0.0', after: '2' });
      expect(evidence(told('node_upgrade', { upgrade: { version: '3' } }, 5))).toEqual({ before: '2', after: '3' });
      expect(said.at(-2)?.payload).toEqual({ reported: { version: '3' } });
    });

    it('when a deployment is removed, then it reports so and says which version it was; one that is not there is a success, too', () => {
      const { device, said } = simulate();
      const remove = (number: number) => {
        device.receive(told('deployment_remove', { deployment_id: 'd-1' }, number));
        vi.advanceTimersByTime(50);
        expect(said.at(-2)?.payload).toEqual({ reported: { deployments: { 'd-1': null } } });
        expect(said.at(-1)?.payload.status).toBe('success');
        return said.at(-1)?.payload.evidence;
      };
      expect(remove(1)).toEqual({ deployment_id: 'd-1' });
      device.receive({ ...command, args: { deployment_id: 'd-1', version: '1.4' } });
      device.receive(told('deployment_deploy', { deployment_id: 'd-2' }, 2));
      vi.advanceTimersByTime(50);
      expect(remove(3)).toEqual({ before: '1.4', deployment_id: 'd-1' });
      expect(remove(4)).toEqual({ deployment_id: 'd-1' });
      expect(remove(3)).toEqual({ before: '1.4', deployment_id: 'd-1' });
      device.receive(told('deployment_upgrade', { deployment_id: 'd-1' }, 5));
      device.receive(told('deployment_upgrade', { deployment_id: 'd-2', version: '2' }, 6));
      vi.advanceTimersByTime(50);
      expect(said.flatMap(({ payload }) => payload.code ?? [])).toEqual(['unknown_deployment']);
      expect(said.at(-1)?.payload.evidence).toMatchObject({ deployment_id: 'd-2', after: '2' });
    });

    it.each([
      ['node_upgrade', { upgrade: { version: '2.0' } }, { version: '2.0' }],
      ['deployment_deploy', { deployment: { version: '2.0' } }, { deployments: { 'd-1': { version: '2.0' } } }],
      ['deployment_upgrade', { version: '2.0' }, { deployments: { 'd-1': { version: '2.0' } } }],
    ])(
      'when a %s brings a bad release, then it fails, each time it is asked, and the device has and reports it',
      (name, args, reported) => {
        const { device, said, words } = simulate({ failingVersions: ['1.9', '2.0'] });
        device.receive(command);
        vi.advanceTimersByTime(50);
        const bad = told(name, { deployment_id: 'd-1', ...args }, 1);
        device.receive(bad);
        vi.advanceTimersByTime(50);
        device.receive(bad);
        expect(words()).toEqual(['report', 'success 1', 'report', 'failure 1', 'report', 'failure 1']);
        expect(said[2]?.payload).toMatchObject({ reported });
        expect(said[3]?.payload).toMatchObject({ code: 'simulated' });

        const back = name === 'node_upgrade' ? name : 'deployment_upgrade';
        device.receive(told(back, { deployment_id: 'd-1', version: '1.1' }, 2));
        vi.advanceTimersByTime(50);
        expect(said.at(-1)?.payload.evidence).toMatchObject({ before: '2.0', after: '1.1' });
      },
    );

    it.each([{ failureRate: 1 }, { lyingRate: 1 }])(
      'when a bad release comes to a device of %j, then it is there and fails all the same; another one is not there',
      (change) => {
        const { device, said } = simulate({ failingVersions: ['2.0'], ...change });
        device.receive(told('node_upgrade', { version: '2.0' }, 1));
        device.receive(told('node_upgrade', { version: '2.1' }, 2));
        vi.advanceTimersByTime(50);
        expect(said.slice(0, 2).map(({ payload }) => payload['reported'] ?? payload.status)).toEqual([
          { version: '2.0' },
          'failure',
        ]);
        expect(said.slice(2).map(({ channel }) => channel)).toEqual(['status']);
      },
    );

    it('when a bad release is meant for a deployment that is not there, or only converged to, then that fails as ever, or not', () => {
      const { device, said } = simulate({ failingVersions: ['2.0'] });
      device.receive(told('deployment_upgrade', { deployment_id: 'd-1', version: '2.0' }, 1));
      device.receive(told('CONVERGE', { desired: { version: '2.0' }, provision: false }, 2));
      vi.advanceTimersByTime(50);
      expect(said.map(({ channel, payload }) => payload.code ?? payload.status ?? channel)).toEqual([
        'unknown_deployment',
        'report',
        'success',
      ]);
    });

    it('when it reboots, then it is away for a while, says hello in another boot, and proves it by that', async () => {
      const { device, said, words } = simulate();
      device.online = true;
      const reboot = told('REBOOT', {}, 1);
      device.receive(reboot);
      expect(device.online).toBe(false);
      await vi.advanceTimersByTimeAsync(50);
      expect(device.online).toBe(true);
      expect(words()).toEqual(['acknowledged 1', 'hello', 'success 1']);
      expect(said[1]?.payload['boot_id']).toBe(device.bootId);
      device.receive({ ...reboot, attempt: 2, fence: 2 });
      expect(said.at(-1)?.payload.evidence).toEqual({ before: 'boot-1', after: device.bootId });
      expect(device.bootId).not.toBe('boot-1');
    });
  });
});
