import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readAgentOptions } from './agent.options.js';

const env = {
  MUSTER_PROJECT: 'demo',
  MUSTER_DEVICE: '01900000-0000-7000-8000-000000000001',
  MUSTER_NATS_URL: 'nats://127.0.0.1:4222',
  MUSTER_HANDLERS: tmpdir(),
  MUSTER_STATE: 'state',
};

describe('given the options of an agent', () => {
  it('when all come from the environment, then that is enough, and an option wins over it', () => {
    expect(readAgentOptions(['--project', 'other', '--creds', 'c', '--ca', 'a', '--boot-id', 'b-1'], env)).toEqual({
      project: 'other',
      device: env.MUSTER_DEVICE,
      nats: env.MUSTER_NATS_URL,
      creds: resolve('c'),
      ca: resolve('a'),
      handlers: tmpdir(),
      state: resolve('state'),
      bootId: 'b-1',
    });
  });

  it.each([
    ['--project A', '--project: must be 1 to 40 of a-z, 0-9, -'],
    ['--device n-00001', "--device: must be the device's id, a UUID"],
    ['--handlers /no/such/folder', '--handlers: /no/such/folder is not a folder'],
    ['--boot-id 1/2', '--boot-id: must be up to 128 letters, digits, . : - _'],
    ['--speed 9', "Unknown option '--speed'"],
  ])('when it is %s, then it is refused', (line, message) => {
    expect(() => readAgentOptions(line.split(' '), env)).toThrow(message);
  });

  it('when one is missing, then it is named with its variable', () => {
    expect(() => readAgentOptions([], { ...env, MUSTER_STATE: '' })).toThrow('--state (or MUSTER_STATE) is required');
  });
});
