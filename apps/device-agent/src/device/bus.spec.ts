import { Events, type Status } from 'nats';
import { describe, expect, it } from 'vitest';
import { watchConnection } from './bus.js';

const { Disconnect, Error: Refused, Reconnect } = Events;

describe('given a connection that is watched', () => {
  it('when the bus refuses several attempts before it takes one, then it was lost once and is back once', async () => {
    const said: string[] = [];
    const status = async function* (): AsyncGenerator<Status> {
      const types = [Disconnect, Refused, Disconnect, Refused, Disconnect, Reconnect, Reconnect, Reconnect];
      for (const type of [...types, Disconnect, Reconnect]) yield await Promise.resolve({ type, data: '' });
    };
    await watchConnection({ status }, { lost: () => said.push('lost'), back: () => said.push('back') });
    expect(said).toEqual(['lost', 'back', 'lost', 'back']);
  });
});
