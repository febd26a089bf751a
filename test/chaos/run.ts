import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../harness/until.ts';
import { Client } from './client.ts';
import { Deadlines } from './deadlines.ts';
import { insert, makeTables, readEvents, readJournals, readLog } from './evidence.ts';
import { Faults } from './faults.ts';
import { Load } from './load.ts';
import { shortJob } from './plan.ts';
import type { ChaosOptions } from './options.ts';
import { unacknowledged, untilQuiet, waitingMessages, type Leftover } from './quiet.ts';
import { Random } from './random.ts';
import { loseAndRebuild } from './rebuild.ts';
import { isStorm, schedule } from './schedule.ts';
import { judge, type Verdict } from './verdict.ts';
import { promises } from './verdicts/index.ts';
import { PREFIX, type World } from './world.ts';

/** Share of the commits whose answer is lost while a storm lasts. */
const LOST_ANSWERS = 0.02;
const TICK_MS = 100;
/** How long a request may still take after the heal. */
const ANSWER_MS = 60_000;

/** How long the load goes on after the heal, once everything that had piled up is worked off. */
const STRICT_MS = 10_000;
const WORKED_OFF_MS = 60_000;

type Say = (line: string) => void;

/** Breaks the world while it works, heals it, and judges what is left. */
export async function run(world: World, options: ChaosOptions, say: Say, signal: AbortSignal): Promise<Verdict[]> {
  const { database, stack } = world;
  const ms = options.minutes * 60_000;
  const devices = await world.startFleets(options);
  const { urls, token } = await world.gateways();
  const client = new Client(urls, token);
  const load = new Load(client, new Random(options.seed, 'load'), { devices, prefix: PREFIX });
  const faults = new Faults(database, (name) => world.pidOf(name), say);
  let healed = false;
  const start = Date.now();
  const isCalm = async () =>
    faults.count === 0 && (healed || !isStorm(Date.now() - start)) && (await world.notReady()).length === 0;
  const isIdle = async () => (await waitingMessages(await stack.nats())).length === 0;
  const deadlines = new Deadlines(database, isCalm, isIdle);

  const failed = new AbortController();
  const over = AbortSignal.any([signal, failed.signal]);
  const fail = (error: unknown): Leftover[] => {
    failed.abort(error);
    return [];
  };
  const watching = new AbortController();
  const watch = deadlines.watch(AbortSignal.any([over, watching.signal])).catch(fail);
  const left = await breakAndHeal().catch(fail);
  watching.abort();
  await watch;
  over.throwIfAborted();

  say(
    `quiet: ${left.length === 0 ? 'everything' : 'not everything'} is at its end, ${await unacknowledged(await stack.nats())} messages unacknowledged; ` +
      `deadlines were looked at ${deadlines.looks} times, ${deadlines.due} came meanwhile`,
  );
  // The fleets stay: without their heartbeats devices would go offline while they are judged.
  await gather();
  const evidence = {
    database,
    leftovers: left,
    refused: load.refused,
    overdue: deadlines.overdue,
    due: deadlines.due,
  };
  const verdicts: Verdict[] = [];
  for (const promised of promises) verdicts.push(await judge(promised, evidence));
  return verdicts;

  async function breakAndHeal(): Promise<Leftover[]> {
    const running = AbortSignal.any([over, AbortSignal.timeout(ms)]);
    const weather = setInterval(() => (database.proxy.share = isStorm(Date.now() - start) ? LOST_ANSWERS : 0), TICK_MS);
    try {
      await Promise.all([load.start(running), faults.run(schedule(options.seed, ms), running), delayUntil(running)]);
    } finally {
      clearInterval(weather);
    }
    over.throwIfAborted();
    database.proxy.heal();
    await faults.heal();
    await world.ready();
    healed = true;
    say(
      `healed after ${((Date.now() - start) / 1000).toFixed(0)} s: ${faults.begun} faults, ${database.proxy.lost} answers of Postgres lost`,
    );
    await workStrictly();
    over.throwIfAborted();
    const unanswered = await load.settle(ANSWER_MS);
    if (unanswered > 0) load.refused.push(`${unanswered} requests had no answer ${ANSWER_MS / 1000} s after the heal`);
    const { answered, repeated, unexpected } = client.counts;
    say(`load: ${answered} requests answered, ${repeated} asked again, ${unexpected} answers of 500`);
    return untilQuiet({ database, connection: await stack.nats(), client }, over);
  }

  /** Time runs out for commands under load while there is no excuse; one that lasts is told by the verdict, which has seen nothing then. */
  async function workStrictly(): Promise<void> {
    await until('no excuse', () => deadlines.isStrict, { timeout: WORKED_OFF_MS }).catch(() => undefined);
    const running = AbortSignal.any([over, AbortSignal.timeout(STRICT_MS)]);
    load.ask((number) => shortJob(number, `${PREFIX}-slow`), running);
    await load.start(running);
  }

  async function gather(): Promise<void> {
    const connection = await stack.nats();
    await makeTables(database);
    const { accepted } = load;
    const ofKind = (kind: string, list: readonly { id: string; name: string }[]) =>
      list.map(({ id, name }) => ({ kind, id, name }));
    await insert(database, 'accepted', [
      ...ofKind('job', accepted.jobs),
      ...ofKind('register', accepted.registered),
      ...accepted.cancelled.map((id) => ({ kind: 'cancel', id, name: '' })),
      ...accepted.commands.map((id) => ({ kind: 'command', id, name: '' })),
      ...accepted.cancelledCommands.map((id) => ({ kind: 'command cancel', id, name: '' })),
      ...accepted.operations.map((id) => ({ kind: 'operation', id, name: '' })),
      ...accepted.cancelledOperations.map((id) => ({ kind: 'operation cancel', id, name: '' })),
      ...ofKind('run', accepted.runs),
      ...accepted.cancelledRuns.map((id) => ({ kind: 'run cancel', id, name: '' })),
      ...accepted.patched.map(({ id, mark }) => ({ kind: 'patch', id, name: mark })),
    ]);
    const iso = (at: number) => new Date(at).toISOString();
    await insert(
      database,
      'excuse',
      deadlines.excuses.map(({ from, to }) => ({ from: iso(from), to: iso(to) })),
    );
    await readLog(database, world.executions, 'execution');
    await readLog(database, world.ends, 'told');
    await readJournals(database);
    await readEvents(database, connection, 'live');
    await loseAndRebuild(stack);
    await readEvents(database, connection, 'rebuilt');
  }
}

const delayUntil = (signal: AbortSignal) => delay(2 ** 30, undefined, { signal }).catch(() => undefined);
