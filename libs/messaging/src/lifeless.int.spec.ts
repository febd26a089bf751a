import { testNats } from '@muster/testing';
import { connect, RetentionPolicy, type NatsConnection } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it, vi, type TestContext } from 'vitest';
import { PullConsumer } from './pull.consumer.js';

const STREAM = 'PARCELS';
const DURABLE = 'porter';
/** Longer than it takes to find a consumer lifeless, were it by its silence alone. */
const SILENCE_MS = 40_000;
const LONG = { timeout: 60_000, interval: 50 };

/** A server of its own with a stream, and readers of a consumer of it. */
class House {
  /** While true, no request for messages reaches the server, which knows the consumer all the same; ends with the consumer. */
  isLifeless = false;
  deleted = 0;
  readonly heard: string[] = [];
  readonly errors: unknown[] = [];

  private constructor(
    readonly nats: Awaited<ReturnType<typeof testNats>>,
    readonly client: NatsConnection,
    private readonly test: TestContext,
  ) {}

  static async open(test: TestContext): Promise<House> {
    const nats = await testNats();
    test.onTestFinished(() => nats.stop());
    const client = await connect({ servers: nats.url });
    test.onTestFinished(() => client.close());
    const manager = await client.jetstreamManager();
    await manager.streams.add({ name: STREAM, subjects: ['parcel'], retention: RetentionPolicy.Workqueue });
    return new House(nats, client, test);
  }

  async read(handle: (text: string) => Promise<void> = () => Promise.resolve()): Promise<void> {
    const connection = await connect({ servers: this.nats.url });
    this.listenIn(connection);
    const options = { stream: STREAM, durable: DURABLE, subject: 'parcel', prefetch: 4, maxPending: 16 };
    const onError = (_subject: string, error: unknown) => void this.errors.push(error);
    const ensureStreams = () => Promise.resolve();
    const consumer = new PullConsumer(connection, options, { onError }, ensureStreams, async (messages) => {
      for await (const message of messages) {
        this.heard.push(message.string());
        await handle(message.string());
        message.ack();
      }
    });
    consumer.start();
    this.test.onTestFinished(async () => {
      await consumer.stop();
      await connection.close();
    });
  }

  async bring(text: string): Promise<void> {
    await this.client.jetstream().publish('parcel', text);
  }

  async untilHeard(text: string): Promise<void> {
    await vi.waitUntil(() => this.heard.includes(text), LONG);
  }

  async untilNoneLeft(): Promise<void> {
    const manager = await this.client.jetstreamManager();
    await vi.waitUntil(async () => (await manager.streams.info(STREAM)).state.messages === 0, LONG);
  }

  async created(): Promise<string> {
    const manager = await this.client.jetstreamManager();
    return (await manager.consumers.info(STREAM, DURABLE)).created;
  }

  async deleteConsumer(): Promise<void> {
    const manager = await this.client.jetstreamManager();
    await manager.consumers.delete(STREAM, DURABLE);
  }

  private listenIn(connection: NatsConnection): void {
    const publish = connection.publish.bind(connection);
    connection.publish = (subject, ...rest) => {
      if (this.isLifeless && subject === `$JS.API.CONSUMER.MSG.NEXT.${STREAM}.${DURABLE}`) return;
      publish(subject, ...rest);
    };
    const request = connection.request.bind(connection);
    connection.request = (subject, ...rest) => {
      if (subject === `$JS.API.CONSUMER.DELETE.${STREAM}.${DURABLE}`) {
        this.isLifeless = false;
        this.deleted++;
      }
      return request(subject, ...rest);
    };
  }
}

/** The first handling of `slow` goes on until it is let go. */
function slowly() {
  const gate = Promise.withResolvers<void>();
  let begun = false;
  const handle = async (text: string) => {
    if (text !== 'slow' || begun) return;
    begun = true;
    await gate.promise;
  };
  return { handle, letGo: () => gate.resolve() };
}

describe.concurrent('a consumer that is read', () => {
  it('given that it gives no sign of life, then it is made anew, once for all of its readers, and nothing is lost of what waits or is worked on', async (test) => {
    const house = await House.open(test);
    const { handle, letGo } = slowly();
    await house.read(handle);
    await house.bring('slow');
    await house.untilHeard('slow');
    house.isLifeless = true;
    await house.read(handle);
    // Two that are idle do not come to the same conclusion in the same moment.
    await delay(2_000);
    await house.read(handle);
    await house.bring('waiting');
    await house.untilHeard('waiting');
    letGo();
    await house.untilNoneLeft();
    await house.bring('after');
    await house.untilHeard('after');
    await house.untilNoneLeft();
    test.expect(house.deleted).toBe(1);
    test.expect(house.errors).toMatchObject([{ message: 'the consumer gives no sign of life, and is made anew' }]);
    test.expect(new Set(house.heard)).toEqual(new Set(['slow', 'waiting', 'after']));
  }, 90_000);

  it('given that its server hangs for long, then it is left as it is', async (test) => {
    const house = await House.open(test);
    await house.read();
    await house.bring('before');
    await house.untilHeard('before');
    const created = await house.created();
    process.kill(house.nats.pid, 'SIGSTOP');
    try {
      await delay(SILENCE_MS);
    } finally {
      process.kill(house.nats.pid, 'SIGCONT');
    }
    await house.bring('after');
    await house.untilHeard('after');
    test.expect(await house.created()).toBe(created);
    test.expect(house.errors).toEqual([]);
  }, 90_000);

  it('given that all of its readers are busy for long, then it is left as it is', async (test) => {
    const house = await House.open(test);
    const { handle, letGo } = slowly();
    await house.read(handle);
    await house.bring('slow');
    await house.untilHeard('slow');
    const created = await house.created();
    await delay(SILENCE_MS);
    letGo();
    await house.bring('after');
    await house.untilHeard('after');
    test.expect(await house.created()).toBe(created);
    test.expect(house.errors).toEqual([]);
  }, 90_000);

  it('given that somebody deletes it while a message is worked on, then it is made again, and nothing is lost', async (test) => {
    const house = await House.open(test);
    const { handle, letGo } = slowly();
    await house.read(handle);
    await house.bring('slow');
    await house.untilHeard('slow');
    await house.deleteConsumer();
    await house.bring('after');
    letGo();
    await house.untilHeard('after');
    await house.untilNoneLeft();
  }, 90_000);
});
