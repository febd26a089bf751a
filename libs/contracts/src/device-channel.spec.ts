import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deviceChannels,
  DeviceSender,
  deviceStream,
  deviceSubject,
  parseDeviceSubject,
  type ChannelName,
} from './device-channel.js';
import { validate } from './schema.js';

const channel = fc.constantFrom(...(Object.keys(deviceChannels) as ChannelName[]));
const project = fc.stringMatching(/^[a-z0-9-]{1,40}$/);

describe('a device subject', () => {
  it('given any project, device and channel, then who speaks can be read from it', () => {
    fc.assert(
      fc.property(project, fc.uuid(), channel, (project_id, device_id, name) => {
        const sender = parseDeviceSubject(deviceSubject(project_id, device_id, name));
        expect(sender).toEqual({ project_id, device_id });
        expect(validate(DeviceSender, sender)).toEqual([]);
      }),
    );
  });

  it.each([
    ['upper case', '3F1C2A52-6B3F-4A53-9D2A-0A1D9BE0A001'],
    ['no id', 'router-7'],
    ['nothing', ''],
    ['an id and more', '3f1c2a52-6b3f-4a53-9d2a-0a1d9be0a001\n'],
  ])('given %s in the place of the device, then it is nobody', (_what, device_id) => {
    expect(validate(DeviceSender, { project_id: 'acme', device_id })).toMatchObject([{ field: 'device_id' }]);
  });

  it('given the channels that are kept, then each has a stream of its own', () => {
    const kept = (Object.keys(deviceChannels) as ChannelName[]).filter(
      (name) => deviceChannels[name].carrier === 'stream',
    );
    expect(kept.map(deviceStream)).toEqual(['MUSTER_DEV_HELLO', 'MUSTER_DEV_STATUS', 'MUSTER_DEV_REPORT']);
  });
});
