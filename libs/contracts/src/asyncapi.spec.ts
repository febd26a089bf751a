import asyncApiSpecs from '@asyncapi/specs';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { toAsyncApi } from './asyncapi.js';
import { entities, notices } from './catalogue.js';
import { deviceChannels } from './device-channel.js';

interface Channel {
  address: string;
  parameters: Record<string, object>;
  messages: Record<string, { payload: object }>;
}

const document = JSON.parse(JSON.stringify(toAsyncApi('1.2.3'))) as {
  info: { version: string };
  channels: Record<string, Channel>;
  operations: Record<string, { action: string; channel: { $ref: string } }>;
};

const isAsyncApi = () => {
  const ajv = new Ajv({ strict: false, meta: false, validateSchema: false });
  addFormats.default(ajv);
  const { schemas } = asyncApiSpecs as unknown as { schemas: Record<string, object> };
  return ajv.compile(schemas['3.0.0']!);
};

describe('toAsyncApi', () => {
  it('given the contracts, then the document is valid by the schema of AsyncAPI 3.0.0', () => {
    const check = isAsyncApi();
    expect(check(document), JSON.stringify(check.errors)).toBe(true);
    expect(check({ ...document, channels: { broken: { address: 5 } } })).toBe(false);
    expect(document.info.version).toBe('1.2.3');
  });

  it('given every entity, every notice and every channel of a device, then each is described, and nothing else', () => {
    const expected = [
      ...entities.map(({ name }) => `${name}-event`),
      ...notices.map(({ entity, name }) => `${entity.name}-${name}-event`),
      ...Object.keys(deviceChannels).map((name) => `device-${name}`),
    ];
    expect(Object.keys(document.channels).sort()).toEqual(expected.sort());
    expect(Object.keys(document.operations).sort()).toEqual(expected.sort());
  });

  it.each(Object.entries(document.channels))(
    'given %s, then its address and parameters name each other',
    (_key, channel) => {
      const inAddress = [...channel.address.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(channel.parameters).sort()).toEqual(inAddress.sort());
    },
  );

  it.each(Object.entries(document.operations))(
    'given the operation %s, then its channel exists',
    (_key, { channel }) => {
      expect(document.channels).toHaveProperty([channel.$ref.replace('#/channels/', '')]);
    },
  );

  it.each(Object.entries(document.channels))(
    'given %s, then its payload is a JSON Schema that compiles',
    (_key, { messages }) => {
      const ajv = new Ajv();
      addFormats.default(ajv);
      for (const { payload } of Object.values(messages)) expect(() => ajv.compile(payload)).not.toThrow();
    },
  );

  it('given what devices publish and receive, then the server receives the one and sends the other', () => {
    const actions = Object.values(deviceChannels).map(({ name, direction }) => [name, direction]);
    for (const [name, direction] of actions)
      expect(document.operations[`device-${name}`]!.action).toBe(direction === 'up' ? 'receive' : 'send');
  });
});
