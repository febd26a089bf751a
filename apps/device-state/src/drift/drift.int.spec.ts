import { deviceState, drifts, type Drift, type JsonObject } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';

let service: RunningDeviceState;
beforeAll(async () => {
  service = await RunningDeviceState.start();
});
afterAll(() => service?.stop());

const eventually = (assertion: () => void | Promise<void>) => vi.waitFor(assertion, { timeout: 10_000, interval: 25 });

const register = async (project_id: string, name: string, desired: JsonObject) => {
  const device = { id: randomUUID(), device: { name, desired } };
  await service.call(deviceState.registerDevices, { project_id, devices: [device] });
  return device.id;
};
const patch = (project_id: string, id: string, desired: JsonObject) =>
  service.call(deviceState.patchDevice, { project_id, id, patch: { desired } });

/** Says it, and waits until the device's reported state has it. */
const report = async (project: string, id: string, reported: JsonObject, channel: 'hello' | 'report' = 'report') => {
  service.say(project, id, channel, { reported });
  await eventually(async () => expect((await service.device(project, id)).reported).toMatchObject(reported));
};

const list = async (project_id: string, state?: Drift['state']) =>
  (await service.call(drifts.listDrifts, { project_id, limit: 100, ...(state && { state }) })).drifts;

const driftEvents = (project: string) =>
  service.service.events.flatMap(({ subject, data }) =>
    subject.startsWith(`muster.evt.${project}.drift.`)
      ? [[data['to'], data['version'], data['reason'], data['device_id'], data['paths']]]
      : [],
  );

describe('a device that is converged', () => {
  it('given its hello and reports, when one breaks what is desired, then it has drifted, is listed, and an event tells so', async () => {
    const id = await register('drift', 'a', { region: 'eu', app: { version: 2 } });
    await report('drift', id, { region: 'eu', app: { version: 1 } }, 'hello');
    expect(await service.call(deviceState.getDevice, { project_id: 'drift', id })).toMatchObject({
      drifted: false,
      difference: { app: { version: 2 } },
    });
    expect(await list('drift')).toEqual([]);

    await report('drift', id, { app: { version: 2 } });
    await report('drift', id, { region: 'us', app: { version: 1 } });
    expect(await list('drift', 'DRIFTED')).toMatchObject([
      { device_id: id, device_name: 'a', state: 'DRIFTED', reason: '', paths: ['app.version', 'region'] },
    ]);
    expect(await service.device('drift', id)).toMatchObject({ drifted: true });
    const { devices } = await service.call(deviceState.resolve, {
      project_id: 'drift',
      query: { drifted: true },
      limit: 10,
    });
    expect(devices).toMatchObject([{ id }]);

    await report('drift', id, { region: 'eu' });
    expect(await list('drift')).toMatchObject([{ state: 'DRIFTED', paths: ['app.version'] }]);
    await report('drift', id, { app: { version: 2 } });
    expect(await list('drift')).toMatchObject([{ state: 'RESOLVED', reason: 'converged' }]);
    await report('drift', id, { region: 'us' }, 'hello');
    await eventually(() =>
      expect(driftEvents('drift')).toEqual([
        ['DRIFTED', 1, '', id, ['app.version', 'region']],
        ['RESOLVED', 2, 'converged', id, ['app.version']],
        ['DRIFTED', 3, '', id, ['region']],
      ]),
    );
  });

  it('given that something else is desired of it, then that is no drift, and an open one is resolved', async () => {
    const id = await register('changed', 'a', { v: 1 });
    await report('changed', id, { v: 1 });
    expect(await patch('changed', id, { v: 2 })).toMatchObject({ drifted: false, difference: { v: 2 } });
    await report('changed', id, { v: 3 });
    expect(await list('changed')).toEqual([]);

    await report('changed', id, { v: 2 });
    await report('changed', id, { v: 3 });
    expect(await list('changed', 'DRIFTED')).toHaveLength(1);
    expect(await patch('changed', id, { v: 4 })).toMatchObject({ drifted: false });
    expect(await list('changed', 'RESOLVED')).toMatchObject([{ reason: 'desired changed' }]);
    expect(await list('changed', 'DRIFTED')).toEqual([]);
  });

  it('given that what is desired is said once more, then nothing has changed, and an open drift stays open', async () => {
    const id = await register('same', 'a', { v: 1, net: { mtu: 9000 } });
    await report('same', id, { v: 1, net: { mtu: 9000 } });
    await report('same', id, { v: 2 });
    expect(await patch('same', id, { net: { mtu: 9000 }, v: 1 })).toMatchObject({ drifted: true });
    expect(await list('same')).toMatchObject([{ state: 'DRIFTED', paths: ['v'] }]);
  });

  it('given what is desired was reported before it was desired, then the device is converged at once, and can drift', async () => {
    const id = await register('before', 'a', {});
    await report('before', id, { v: 1 });
    await patch('before', id, { v: 1 });
    await report('before', id, { v: 2 });
    expect(await list('before', 'DRIFTED')).toMatchObject([{ paths: ['v'] }]);
  });

  it('given a device that comes online with a hello that breaks it, then that is a drift as well', async () => {
    const id = await register('away', 'a', { v: 1 });
    await report('away', id, { v: 1 });
    await service.query(`UPDATE device SET state = 'OFFLINE', presence_due = NULL WHERE id = $1`, [id]);
    await report('away', id, { v: 2 }, 'hello');
    expect(await list('away', 'DRIFTED')).toHaveLength(1);
  });
});

describe('many devices', () => {
  it('given reports and changes of what is desired at once, then the flags are those of the documents, and the list those of the flags', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => register('many', `d${n}`, { v: 0 })));
    for (const id of ids) await report('many', id, { v: 0 });
    for (let round = 1; round <= 4; round++) {
      for (const id of ids) service.say('many', id, 'report', { reported: { v: round % 3, round } });
      await Promise.all(ids.filter((_, n) => n % 2 === round % 2).map((id) => patch('many', id, { v: round })));
    }
    await eventually(async () => {
      const { devices } = await service.call(deviceState.listDevices, { project_id: 'many', limit: 100 });
      expect(devices.map(({ reported }) => reported['round'])).toEqual(Array(20).fill(4));
    });
    const wrong = await service.query(
      `SELECT id FROM device WHERE project_id = 'many'
         AND (converged <> (reported @> desired) OR drifted AND converged
              OR drifted <> EXISTS (SELECT FROM drift f WHERE f.device_id = device.id AND f.state = 'DRIFTED'))`,
    );
    expect(wrong).toEqual([]);
  });

  it('given many drifts, then pages go on after each other', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, (_, n) => register('paged', `d${n}`, { v: 0 })));
    for (const id of ids) await report('paged', id, { v: 0 });
    for (const id of ids) await report('paged', id, { v: 1 });
    const read: string[] = [];
    let after: string | undefined;
    do {
      const page = await service.call(drifts.listDrifts, { project_id: 'paged', limit: 2, ...(after && { after }) });
      read.push(...page.drifts.map((drift) => drift.device_id));
      after = page.next ?? undefined;
    } while (after);
    expect(read.sort()).toEqual(ids.sort());
  });
});
