import { deviceCredentials } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningDeviceState } from '../testing/running-device-state.js';

let service: RunningDeviceState;
beforeAll(async () => {
  service = await RunningDeviceState.start(30, { keys: false });
});
afterAll(() => service?.stop());

describe('a bus whose keys the service was not given', () => {
  it('then nothing is issued, and the answer says what is missing', async () => {
    const device_id = await service.register('acme', 'keyless');
    const order = { project_id: 'acme', device_id, id: randomUUID(), created_by: randomUUID(), order: {} };
    await expect(service.call(deviceCredentials.issue, order)).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('MUSTER_NATS_ACCOUNT_SEED') as string,
    });
  });
});
