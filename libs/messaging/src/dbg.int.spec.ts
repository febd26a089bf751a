import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Bus, KeepingHost, knock, greet } from './testing/bus.js';
import { PullConsumer } from './pull.consumer.js';
import { ensureStreams, streamsOf } from './streams.js';
import { deviceCoreConsumer } from './device.consumer.js';
import { deviceChannels, WORK_STREAM } from '@muster/contracts';
const log = (t: string) => writeFileSync('/tmp/dbg.log', `${Date.now() % 100000} ${t}\n`, { flag: 'a' });
it('x', async () => {
  const bus = await Bus.start();
  const c = deviceCoreConsumer(bus.server, 'device-state', deviceChannels.heartbeat, new KeepingHost(), async () => undefined);
  c.start(); log('core started'); await c.stop(); log('core stopped');
  const host = new KeepingHost();
  const p = new PullConsumer(bus.server, { stream: WORK_STREAM, durable: 'x', subject: greet.subject, prefetch: 2, maxPending: 9 }, host, () => ensureStreams(bus.server, streamsOf('device-state')), async (ms) => { log('reading'); for await (const m of ms) m.ack(); log('read'); });
  p.start(); if (process.env['W']) await new Promise((r) => setTimeout(r, 500)); log('pull started'); await p.stop(); log('pull stopped' + JSON.stringify(host));
  await bus.stop();
  log('stopped');
  expect(knock).toBeDefined();
}, 8000);
