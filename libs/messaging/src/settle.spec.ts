import type { JsMsg } from 'nats';
import { expect, it, vi } from 'vitest';
import { park } from './settle.js';
import { KeepingHost } from './testing/bus.js';

const message = (streamSequence: number, redeliveryCount: number) => {
  const info = { stream: 'S', consumer: 'c', streamSequence, timestampNanos: 1, redeliveryCount };
  return { subject: 's', data: new Uint8Array(), info, nak: vi.fn(), term: vi.fn() };
};
const parkAll = async (host: KeepingHost, ...messages: ReturnType<typeof message>[]) => {
  for (const each of messages) await park(each as unknown as JsMsg, 'no', host);
};

it('given a message that comes again after it was parked, then it is parked by the same name, and another by another', async () => {
  const host = new KeepingHost();
  await parkAll(host, message(1, 8), message(1, 9), message(2, 8));
  const [first, again, other] = host.parked.map(({ name }) => name);
  expect(again).toBe(first);
  expect(other).not.toBe(first);
});

it('given one that cannot be parked, then it comes again within two seconds, however often it came', async () => {
  const host = new KeepingHost();
  vi.spyOn(host, 'park').mockRejectedValue(new Error('disk full'));
  const often = message(1, 50);
  await parkAll(host, often);
  expect(often.term).not.toHaveBeenCalled();
  expect(often.nak.mock.calls[0]![0]).toBeLessThanOrEqual(2_000);
});
