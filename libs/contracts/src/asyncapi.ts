import type { TSchema } from 'typebox';
import { entities, notices } from './catalogue.js';
import { deviceChannels, type DeviceChannel } from './device-channel.js';
import { cloudEventSchema } from './entity.js';
import { noticeEventSchema } from './notice.js';

/** The AsyncAPI 3 document of what other systems and devices see on the bus (interfaces §7 and §8). */
export function toAsyncApi(version: string): Record<string, unknown> {
  const channels: Record<string, unknown> = {};
  const operations: Record<string, unknown> = {};
  const project = { description: "the project's slug" };

  const add = (
    key: string,
    channel: {
      address: string;
      title: string;
      parameters: object;
      payload: TSchema;
      action: 'send' | 'receive';
      contentType: string;
    },
  ) => {
    channels[key] = {
      address: channel.address,
      title: channel.title,
      parameters: channel.parameters,
      messages: { [key]: { name: key, contentType: channel.contentType, payload: channel.payload } },
    };
    operations[key] = { action: channel.action, channel: { $ref: `#/channels/${key}` } };
  };

  for (const entity of entities) {
    add(`${entity.name}-event`, {
      address: `muster.evt.{project}.${entity.name}.{state}.{id}`,
      title: `Every transition of a ${entity.name}`,
      parameters: { project, state: { enum: [...entity.states] }, id: { description: `the id of the ${entity.name}` } },
      payload: cloudEventSchema(entity),
      action: 'send',
      contentType: 'application/cloudevents+json',
    });
  }
  for (const notice of notices) {
    const { entity, name } = notice;
    add(`${entity.name}-${name}-event`, {
      address: `muster.evt.{project}.${entity.name}.${name}.{id}`,
      title: `The ${name} of a ${entity.name}`,
      parameters: { project, id: { description: `the id of the ${entity.name}` } },
      payload: noticeEventSchema(notice),
      action: 'send',
      contentType: 'application/cloudevents+json',
    });
  }
  for (const channel of Object.values<DeviceChannel>(deviceChannels)) {
    add(`device-${channel.name}`, {
      address: `muster.dev.{project}.{device}.${channel.name}`,
      title: `What a device ${channel.direction === 'up' ? 'publishes' : 'receives'} on ${channel.name}`,
      parameters: { project, device: { description: "the device's id" } },
      payload: channel.payload,
      action: channel.direction === 'up' ? 'receive' : 'send',
      contentType: 'application/json',
    });
  }
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Muster on the bus',
      version,
      description:
        'Events for other systems, and the channels of a device. NATS subjects; over MQTT the dots are slashes.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels,
    operations,
  };
}
