import { DEPLOYMENT_COMMANDS, deployments, deviceWork, type JsonObject } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';

let service: RunningDeviceState;
beforeAll(async () => {
  service = await RunningDeviceState.start();
});
afterAll(() => service?.stop());

const PROJECT = 'deployments';

interface Told {
  deployment_id: string;
  device_id: string;
  command_id?: string;
  args?: JsonObject;
  evidence?: JsonObject | null;
}

/** Says what command-dispatcher says when commands have succeeded. */
const tell = (command: (typeof DEPLOYMENT_COMMANDS)[number], args: JsonObject, items: Told[]) =>
  service.service.ask(deviceWork.deployed, {
    project_id: PROJECT,
    head: { command, args },
    items: items.map((item) => ({ command_id: randomUUID(), args: {}, evidence: null, ...item })),
  });

const get = (id: string) => service.call(deployments.getDeployment, { project_id: PROJECT, id });
const eventually = (assertion: () => Promise<void>) => vi.waitFor(assertion, { timeout: 10_000, interval: 25 });
const ids = () => ({ deployment_id: randomUUID(), device_id: randomUUID(), command_id: randomUUID() });

describe('deployments', () => {
  it('given a deployment and its upgrades, then it has each version, and an event tells of each', async () => {
    const told = ids();
    const document = { name: 'web', version: 1, image: 'nginx' };
    await tell('deployment_deploy', { job_name: 'j', deployment: document }, [told]);
    await eventually(async () =>
      expect(await get(told.deployment_id)).toMatchObject({
        project_id: PROJECT,
        device_id: told.device_id,
        name: 'web',
        version: '1',
        state: 'DEPLOYED',
        args: document,
        versions: [{ version: '1', command_id: told.command_id }],
      }),
    );
    await tell('deployment_upgrade', { upgrade: { image: 'nginx:2' } }, [
      { ...told, command_id: randomUUID(), evidence: { version: '2' } },
    ]);
    await tell('deployment_upgrade', { version: '3' }, [{ ...told, command_id: randomUUID(), args: { more: true } }]);
    await eventually(async () =>
      expect(await get(told.deployment_id)).toMatchObject({
        name: 'web',
        version: '3',
        state: 'UPGRADED',
        args: { version: '3', more: true },
        versions: [{ version: '1' }, { version: '2' }, { version: '3' }],
      }),
    );
    await vi.waitFor(() =>
      expect(
        service
          .eventsOf(told.deployment_id)
          .map((event) => [event['from'], event['to'], event['version'], event['deployed_version'], event['name']]),
      ).toEqual([
        [null, 'DEPLOYED', 1, '1', 'web'],
        ['DEPLOYED', 'UPGRADED', 2, '2', 'web'],
        ['UPGRADED', 'UPGRADED', 3, '3', 'web'],
      ]),
    );
  });

  it('given the same batch again, and two commands of one deployment in a batch, then each command counts once', async () => {
    const told = ids();
    const again = { ...told, command_id: randomUUID() };
    const other = ids();
    await tell('deployment_deploy', { version: 1 }, [told, again]);
    await tell('deployment_deploy', { version: 1 }, [told, again]);
    await tell('deployment_deploy', { version: 1 }, [other]);
    await eventually(async () => expect((await get(other.deployment_id)).versions).toHaveLength(1));
    expect((await get(told.deployment_id)).versions.map((one) => one.command_id)).toEqual([
      told.command_id,
      again.command_id,
    ]);
  });

  it('given an upgrade of what was never heard of, then it is known as upgraded', async () => {
    const told = ids();
    await tell('deployment_upgrade', { upgrade: { version: '7' } }, [told]);
    await eventually(async () =>
      expect(await get(told.deployment_id)).toMatchObject({ state: 'UPGRADED', versions: [{ version: '7' }] }),
    );
  });

  it('given one id for many devices, then each device has a deployment of its own, and keeps it', async () => {
    const deployment_id = randomUUID();
    const devices = Array.from({ length: 3 }, () => randomUUID());
    const items = devices.map((device_id) => ({ deployment_id, device_id }));
    await tell('deployment_deploy', { name: 'shared', version: 1 }, items);
    await tell('deployment_upgrade', { version: 2 }, items.toReversed());
    const list = (filter: { device_id?: string; name?: string; after?: string }, limit = 10) =>
      service.call(deployments.listDeployments, { project_id: PROJECT, limit, ...filter });
    await eventually(async () => {
      const found = (await list({ name: 'shared' })).deployments;
      expect(found.map(({ version }) => version)).toEqual(['2', '2', '2']);
      expect(found.map(({ device_id }) => device_id).sort()).toEqual([...devices].sort());
      expect(found.map(({ id }) => id)).toContain(deployment_id);
    });
    expect((await list({ device_id: devices[1]! })).deployments).toHaveLength(1);
    const first = await list({ name: 'shared' }, 2);
    const rest = await list({ name: 'shared', after: first.next! }, 2);
    expect([first.deployments.length, rest.deployments.length, rest.next]).toEqual([2, 1, null]);
  });

  it('given more versions than are kept, then the oldest go', async () => {
    const told = ids();
    const items = Array.from({ length: 103 }, (_, n) => ({ ...told, command_id: randomUUID(), args: { version: n } }));
    await tell('deployment_deploy', {}, items);
    await eventually(async () => {
      const { versions } = await get(told.deployment_id);
      expect([versions.length, versions[0]!.version, versions.at(-1)!.version]).toEqual([100, '3', '102']);
    });
  });

  it.each([
    ['deployment_deploy', 'DEPLOYED'],
    ['deployment_upgrade', 'UPGRADED'],
  ] as const)(
    'given one that is removed after a %s, then it keeps what it was made of and has no version, and the same command brings it back',
    async (command, state) => {
      const told = ids();
      const stateOf = async () => (await get(told.deployment_id)).state;
      const again = (one: typeof command | 'deployment_remove', args: JsonObject = {}) =>
        tell(one, args, [{ ...told, command_id: randomUUID(), evidence: { version: '9' } }]);
      const listed = async () =>
        (await service.call(deployments.listDeployments, { project_id: PROJECT, device_id: told.device_id, limit: 10 }))
          .deployments;
      await tell(command, { name: 'web', version: '1' }, [told]);
      await eventually(async () => expect(await listed()).toMatchObject([{ id: told.deployment_id, state }]));

      await again('deployment_remove', { name: 'other', version: '8' });
      await eventually(async () =>
        expect(await get(told.deployment_id)).toMatchObject({
          state: 'REMOVED',
          name: 'web',
          version: '',
          args: { name: 'web', version: '1' },
          versions: [{ version: '1' }, { version: '' }],
        }),
      );
      expect(await listed()).toEqual([]);

      await again(command, { version: '2' });
      await eventually(async () => expect(await stateOf()).toBe(state));
      expect(await listed()).toMatchObject([{ id: told.deployment_id, name: 'web', version: '2' }]);
      await vi.waitFor(() =>
        expect(
          service
            .eventsOf(told.deployment_id)
            .slice(-2)
            .map((event) => [event['from'], event['to'], event['deployed_version']]),
        ).toEqual([
          [state, 'REMOVED', ''],
          ['REMOVED', state, '2'],
        ]),
      );
    },
  );

  it('given removes that come again, of what is removed already, or was never heard of, then they change nothing', async () => {
    const told = ids();
    const [unknown, last] = [ids(), ids()];
    const removed = { ...told, command_id: randomUUID() };
    await tell('deployment_deploy', {}, [told]);
    await tell('deployment_remove', {}, [unknown, removed, { ...told, command_id: randomUUID() }]);
    await tell('deployment_deploy', {}, [{ ...told, command_id: randomUUID() }]);
    await tell('deployment_remove', {}, [removed]);
    await tell('deployment_deploy', {}, [last]);
    await eventually(async () => expect(await get(last.deployment_id)).toMatchObject({ state: 'DEPLOYED' }));
    expect(await get(told.deployment_id)).toMatchObject({
      state: 'DEPLOYED',
      versions: [{ command_id: told.command_id }, { command_id: removed.command_id }, {}],
    });
    await expect(get(unknown.deployment_id)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('given one id for many devices, then a remove takes away that of its device alone', async () => {
    const deployment_id = randomUUID();
    const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
    const on = (...devices: string[]) => devices.map((device_id) => ({ deployment_id, device_id }));
    await tell('deployment_deploy', { name: 'for many' }, on(first, second));
    await tell('deployment_remove', {}, on(second, third));
    await eventually(async () => {
      const request = { project_id: PROJECT, name: 'for many', limit: 10 };
      const found = (await service.call(deployments.listDeployments, request)).deployments;
      expect(found.map(({ device_id }) => device_id)).toEqual([first]);
    });
  });

  it('given the deployment of another project, then it is not there', async () => {
    const told = ids();
    await tell('deployment_deploy', {}, [told]);
    await eventually(async () => expect((await get(told.deployment_id)).name).toBe(''));
    await expect(
      service.call(deployments.getDeployment, { project_id: 'other', id: told.deployment_id }),
    ).rejects.toMatchObject({ kind: 'not_found', message: `no deployment ${told.deployment_id}` });
  });
});
