import { DomainError } from '@muster/contracts';
import type { Msg, NatsConnection } from 'nats';
import { expect, it, vi } from 'vitest';
import { rpcServer } from './rpc.server.js';
import { KeepingHost, knock, SERVICE } from './testing/bus.js';

it('given a bus that takes neither an answer nor its refusal, then it is told, and later questions are answered', async () => {
  let ask!: (error: null, message: Msg) => void;
  const connection = {
    subscribe: (_subject: string, { callback }: { callback: typeof ask }) => {
      ask = callback;
      return { drain: async () => undefined };
    },
  } as unknown as NatsConnection;
  const question = (respond: (reply: string) => void) => {
    const data = new TextEncoder().encode('{"who":"Ada"}');
    return { data, json: () => ({ who: 'Ada' }), respond } as unknown as Msg;
  };
  const host = new KeepingHost();
  const handle = vi
    .fn(async (): Promise<unknown> => ({ said: 'Hello' }))
    .mockRejectedValueOnce(new DomainError('conflict', 'already inside'));
  const server = rpcServer(connection, SERVICE, knock, host, handle);
  server.start();

  const broken = new Error('connection closed');
  const tried: string[] = [];
  ask(
    null,
    question((reply) => {
      tried.push(reply);
      throw broken;
    }),
  );
  const answered = Promise.withResolvers<string>();
  ask(null, question(answered.resolve));

  expect(await answered.promise).toBe('{"ok":{"said":"Hello"}}');
  await server.stop();
  expect(tried.map((reply) => (JSON.parse(reply) as { error: unknown }).error)).toMatchObject([
    { kind: 'conflict', message: 'already inside' },
    { kind: 'unavailable', message: `${SERVICE} could not answer` },
  ]);
  expect(host.errors).toEqual([broken, broken].map((error) => ({ pattern: knock.subject, error })));
});
