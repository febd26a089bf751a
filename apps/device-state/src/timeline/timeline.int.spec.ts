import { deviceState, deviceWork, timelines } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';
import { TimelineRetention } from './timeline.retention.js';

const DAY_MS = 86_400_000;
const PROJECT = 'timeline';

let service: RunningDeviceState;
beforeAll(async () => {
  service = await RunningDeviceState.start();
});
afterAll(() => service?.stop());

const entriesOf = async (device_id: string, limit = 100, before?: { at: string; id: string }) => {
  const request = { project_id: PROJECT, device_id, limit, ...(before && { before }) };
  return (await service.call(timelines['device-state'], request)).entries;
};
const eventually = (assertion: () => Promise<void>) => vi.waitFor(assertion, { timeout: 10_000, interval: 25 });

it('given a device that came, drifted and was deployed to, then it all stands there, newest first, in pages', async () => {
  const id = await service.register(PROJECT, 'a');
  const patch = { desired: { v: 1 } };
  await service.call(deviceState.patchDevice, { project_id: PROJECT, id, patch });
  const states = async () =>
    (await entriesOf(id)).map(({ entity, state, reason }) => [entity, state, reason].join(' '));
  const reported = async (v: number) =>
    eventually(async () => expect((await service.device(PROJECT, id)).reported).toEqual({ v }));

  service.say(PROJECT, id, 'hello', { reported: { v: 1 } });
  await reported(1);
  service.say(PROJECT, id, 'report', { reported: { v: 2 } });
  await reported(2);
  service.say(PROJECT, id, 'report', { reported: { v: 1 } });
  await reported(1);
  const item = { deployment_id: randomUUID(), device_id: id, command_id: randomUUID(), evidence: null };
  const removal = { ...item, command_id: randomUUID() };
  const tell = (command: 'deployment_deploy' | 'deployment_remove', told: typeof item) =>
    service.service.ask(deviceWork.deployed, {
      project_id: PROJECT,
      head: { command, args: { name: 'web', version: '1' } },
      items: [{ ...told, args: {} }],
    });
  await tell('deployment_deploy', item);
  await tell('deployment_remove', removal);
  await eventually(async () =>
    expect(await states()).toEqual([
      'deployment REMOVED ',
      'deployment DEPLOYED ',
      'drift RESOLVED converged',
      'drift DRIFTED ',
      'device ONLINE ',
      'device REGISTERED ',
    ]),
  );
  const all = await entriesOf(id);
  expect(all[0]).toMatchObject({
    entity_id: item.deployment_id,
    detail: { name: 'web', version: '', command_id: removal.command_id },
  });
  expect(all[1]).toMatchObject({
    entity_id: item.deployment_id,
    detail: { name: 'web', version: '1', command_id: item.command_id },
  });
  expect(all[3]).toMatchObject({ detail: { paths: ['v'] } });
  expect(all.at(-1)).toMatchObject({ id, entity_id: id });

  const read = await entriesOf(id, 2);
  while (read.length < all.length) read.push(...(await entriesOf(id, 2, read.at(-1))));
  expect(read).toEqual(all);
  expect(await entriesOf(id, 2, all.at(-1))).toEqual([]);
});

it('given what happened in one transaction, and one that began before another and ended after it, then it stands in the order of happening', async () => {
  const id = await service.register(PROJECT, 'in order');
  const said = { deployment_id: randomUUID(), device_id: id, evidence: null };
  const versions = Array.from({ length: 8 }, (_, n) => String(n + 1));
  const deploy = (some: readonly string[]) =>
    service.service.ask(deviceWork.deployed, {
      project_id: PROJECT,
      head: { command: 'deployment_deploy', args: { name: 'web' } },
      items: some.map((version) => ({ ...said, command_id: randomUUID(), args: { version } })),
    });
  const deployed = async () => (await entriesOf(id)).flatMap(({ detail }) => detail['version'] ?? []);
  await deploy(versions);
  await eventually(async () => expect(await deployed()).toHaveLength(8));
  expect(await deployed()).toEqual(versions.toReversed());

  await service.query('BEGIN');
  await service.query(`SELECT FROM device WHERE id = $1 FOR UPDATE`, [id]);
  service.say(PROJECT, id, 'hello', {});
  await eventually(async () =>
    expect(await service.query(`SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'`)).toHaveLength(
      1,
    ),
  );
  await deploy(['9']);
  await eventually(async () => expect(await deployed()).toHaveLength(9));
  await service.query('COMMIT');
  await eventually(async () => expect((await entriesOf(id)).map(({ state }) => state)).toContain('ONLINE'));
  expect((await entriesOf(id)).slice(0, 2).map(({ entity }) => entity)).toEqual(['device', 'deployment']);
});

it('given a device of another project, then it is not there', async () => {
  const id = await service.register('other', 'a');
  await expect(entriesOf(id)).rejects.toMatchObject({ kind: 'not_found', message: `no device ${id}` });
});

it('given what happened long ago, then it goes after 30 days and no sooner, and the registration stays', async () => {
  const id = await service.register(PROJECT, 'old');
  service.say(PROJECT, id, 'hello', {});
  await eventually(async () => expect(await entriesOf(id)).toHaveLength(2));
  const retention = service.service.get(TimelineRetention);
  await retention.step(Date.now() + 29.9 * DAY_MS);
  expect(await entriesOf(id)).toHaveLength(2);
  await retention.step(Date.now() + 30.1 * DAY_MS);
  expect((await entriesOf(id)).map(({ state }) => state)).toEqual(['REGISTERED']);
});
