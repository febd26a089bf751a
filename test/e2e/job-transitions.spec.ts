import { JOB_ACTIONS, type Job, type JobAction, type JobSummary } from '@muster/contracts';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../chaos/random.ts';
import { PlayedDevices, type OpenCommand } from '../harness/played-devices.ts';
import { Stack } from '../harness/stack.js';
import { readEvents } from './events.js';
import { JobModel, MOVES, STANDS, type Ending } from './job.model.js';
import { expectExact, JOBS } from './jobs.js';

const SEED = 3;
/** A walk that has not come everywhere by then never does; this one takes about 300. */
const MOST_STEPS = 1_000;
const DEVICES = 3;
const SLOTS = 2;
const PATIENCE = { timeout: 30_000, interval: 15 };
const ENDINGS: readonly Ending[] = ['success', 'failure', 'timeout'];
const ACTIONS = [...JOB_ACTIONS, 'delete', 'read', 'list'] as const;
type Action = (typeof ACTIONS)[number];
const CONFLICT = { error_code: 'MUS.010409', error_msg: expect.any(String) as string };
const GONE = { error_code: 'MUS.010404', error_msg: expect.any(String) as string };

let stack: Stack;
let devices: PlayedDevices;
let database: pg.Client;
/** A group without members. */
let nobody: string;

beforeAll(async () => {
  stack = await Stack.start();
  devices = await PlayedDevices.start(
    stack,
    Array.from({ length: DEVICES }, (_, n) => `played-${n}`),
  );
  database = new pg.Client({ connectionString: (await stack.file()).postgres.url });
  await database.connect();
  const group = { name: 'nobody', device_ids: [] };
  nobody = (await stack.api<{ id: string }>('POST', '/api/v1/groups', group)).body.id;
});
afterAll(async () => {
  devices?.stop();
  await database?.end();
  await stack?.stop();
});

const pairOf = (stand: string, action: Action) => `${stand}: ${action}`;

/** A document without what changes by the clock alone. */
function timeless({ progress, ...job }: JobSummary) {
  const { rate_per_second: _rate, eta: _eta, ...counts } = progress;
  return { ...job, progress: counts };
}

/** One job on its way, beside the model of it. */
class Walk {
  private constructor(
    readonly id: string,
    readonly model: JobModel,
  ) {}

  static async begin(kind: 'plain' | 'held' | 'empty'): Promise<Walk> {
    const task_data = '{"deployment":{"image":"nginx"}}';
    const start_at = new Date(Date.now() + 86_400_000).toISOString();
    const id = await stack.createJob([...devices.ids], {
      ...(kind === 'empty' && { job_content: { target_type: 'node_group', targets: [nobody], task_data } }),
      rollout: { max_in_flight: SLOTS, ...(kind === 'held' && { start_at }) },
    });
    return new Walk(id, new JobModel(kind === 'empty' ? 0 : DEVICES, SLOTS, kind === 'held'));
  }

  /** Waits until the job is where the model is. */
  async settled(): Promise<Job> {
    let job = await stack.job(this.id);
    const { document, cancelling } = this.model;
    await expect
      .poll(async () => {
        job = await stack.job(this.id);
        expectExact(job, job.tasks);
        return { ...job, cancelling: job.tasks.filter((task) => task.status === 'Stopping').length };
      }, PATIENCE)
      .toMatchObject({ ...document, cancelling });
    return job;
  }

  async do(action: Action): Promise<void> {
    if (action === 'delete') return this.delete();
    const before = await this.settled();
    if (action === 'list') await this.list(before);
    else if (action !== 'read') {
      const verdict = this.model.act(action);
      const { status, body } = await this.ask(action);
      if (!verdict.allowed) expect([status, body]).toEqual([409, CONFLICT]);
      else expect([status, body]).toEqual([200, { job_id: this.id, status: verdict.answer }]);
      if (verdict.allowed && verdict.changes) return void (await this.settled());
    }
    expect(timeless(await stack.job(this.id))).toEqual(timeless(before));
  }

  /** A device ends what it works on. */
  async endOne(ending: Ending, random: Random): Promise<void> {
    const { inFlight } = this.model;
    const isCancelling = this.model.cancelling > 0;
    const open = () => devices.of(this.id).filter(({ cancelled }) => cancelled === isCancelling);
    await expect.poll(() => open().length, PATIENCE).toBe(inFlight);
    const command = random.pick(open());
    if (ending === 'timeout' && isCancelling && random.chance(0.5)) devices.end(command, 'failure', 'cancelled');
    else if (ending === 'timeout') await timeOut(command);
    else devices.end(command, ending);
    this.model.end(ending);
    await this.settled();
  }

  private ask(action: JobAction) {
    return stack.api<object>('POST', `${JOBS}/${this.id}/${action}`);
  }

  private async delete(): Promise<void> {
    const before = await this.settled();
    const { status, body } = await stack.api('DELETE', `${JOBS}/${this.id}`);
    if (!this.model.isDeletable) {
      expect([status, body]).toEqual([409, CONFLICT]);
      expect(timeless(await stack.job(this.id))).toEqual(timeless(before));
      return;
    }
    expect([status, body]).toEqual([204, undefined]);
    for (const action of JOB_ACTIONS) expect(await this.ask(action)).toMatchObject({ status: 404, body: GONE });
    for (const method of ['GET', 'DELETE'])
      expect(await stack.api(method, `${JOBS}/${this.id}`)).toMatchObject({ status: 404, body: GONE });
    expect((await listed()).map(({ job_id }) => job_id)).not.toContain(this.id);
  }

  private async list(document: Job): Promise<void> {
    const own = (jobs: JobSummary[]) => jobs.filter(({ job_id }) => job_id === this.id).map(timeless);
    const found = own(await listed(document.status));
    expect(found).toHaveLength(1);
    expect(timeless(document)).toMatchObject(found[0]!);
    for (const status of ['Waiting', 'Running', 'Stopping', 'Stopped', 'Successful', 'Failed'])
      if (status !== document.status) expect(own(await listed(status))).toEqual([]);
  }
}

async function listed(status?: string): Promise<JobSummary[]> {
  const path = `${JOBS}?limit=1000${status === undefined ? '' : `&status=${status}`}`;
  return (await stack.api<{ jobs: JobSummary[] }>('GET', path)).body.jobs;
}

/** Time passes: the deadline of a command does. */
async function timeOut(command: OpenCommand): Promise<void> {
  devices.forget(command);
  const { rowCount } = await database.query(
    `UPDATE command_dispatcher.command SET deadline = now(), due_at = now() WHERE id = $1 AND deadline IS NOT NULL`,
    [command.command_id],
  );
  expect(rowCount).toBe(1);
}

/** Walks at random, first where nobody was. */
class Walker {
  private readonly random = new Random(SEED, 'walk');
  readonly walked = new Map<string, number>();
  readonly walks: Walk[] = [];
  steps = 0;

  get missing(): string[] {
    const moves = this.walks.flatMap(({ model }) => movesOf(model.path));
    const pairs = STANDS.flatMap((stand) => ACTIONS.map((action) => pairOf(stand, action)));
    return [...pairs.filter((pair) => !this.walked.has(pair)), ...MOVES.filter((move) => !moves.includes(move))];
  }

  /** One job from its create to its delete. */
  async one(): Promise<void> {
    const walk = await Walk.begin(this.random.pick(['plain', 'plain', 'plain', 'held', 'empty'] as const));
    this.walks.push(walk);
    await walk.settled();
    // Devices of one mind let jobs end in every way.
    const mind = this.random.pick([ENDINGS, ...ENDINGS.map((ending) => [ending])]);
    for (let isThere = true; isThere;) {
      if (++this.steps > MOST_STEPS) throw new Error(`not walked: ${this.missing.join('; ')}`);
      const action = this.choose(walk);
      if (action === 'end') {
        await walk.endOne(this.random.pick(mind), this.random);
        continue;
      }
      const pair = pairOf(walk.model.stand, action);
      this.walked.set(pair, (this.walked.get(pair) ?? 0) + 1);
      isThere = action !== 'delete' || !walk.model.isDeletable;
      await walk.do(action);
    }
  }

  private choose({ model }: Walk): Action | 'end' {
    const fresh = ACTIONS.filter((action) => !this.walked.has(pairOf(model.stand, action)));
    // A delete is the last that happens to a job.
    const [first = 'delete', ...others] = this.random.shuffle(fresh);
    if (fresh.length > 0) return first === 'delete' ? (others[0] ?? first) : first;
    return model.inFlight > 0 && this.random.chance(0.6) ? 'end' : this.random.pick(ACTIONS);
  }
}

const movesOf = (path: readonly string[]) => path.slice(1).map((to, at) => `${path[at]} → ${to}`);

describe('the statuses of a job', () => {
  it('given a walk at random through all of them, then each action does from each what the table says, and nothing else', async () => {
    const walker = new Walker();
    while (walker.missing.length > 0) await walker.one();

    const bus = await stack.events();
    const paths = async () => {
      const told = await readEvents(bus, 'muster.evt.demo.job.>');
      const byJob = Map.groupBy(told, ({ data }) => data.id);
      return walker.walks.map(({ id }) => (byJob.get(id) ?? []).map(({ data }) => data.to));
    };
    await expect.poll(paths, PATIENCE).toEqual(walker.walks.map(({ model }) => model.path));
    const moves = new Set(walker.walks.flatMap(({ model }) => movesOf(model.path)));
    expect([...moves].toSorted()).toEqual(MOVES.toSorted());
    expect(walker.walked.size).toBe(STANDS.length * ACTIONS.length);
  });
});
