import { jobTaskEntity, schemaOf, type JobTaskStatus } from '@muster/contracts';
import { defineStateTable, Journal, stateTableColumns } from '@muster/journal';
import { createDataSource, provision } from '@muster/persistence';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchStack } from './bench.stack.ts';

const SERVICE = 'job-planner';
const PER_ROW = 500;
const WRITERS = 4;

type DataSource = ReturnType<typeof createDataSource>;

const STATES = Object.fromEntries(jobTaskEntity.states.map((state) => [state, { to: [] }])) as unknown as Record<
  JobTaskStatus,
  { to: [] }
>;

/** Tasks without a job, which nothing happens to after they were made. */
const table = defineStateTable(jobTaskEntity, {
  lifecycle: { entity: jobTaskEntity.name, initial: 'Waiting', states: STATES },
  table: 'bench_task',
  columns: { job_id: 'uuid', target_id: 'uuid' },
  eventData: ['job_id', 'target_id'],
  activity: false,
  traced: false,
});

/** Writes events into the planner's journal as the planner does. */
export class JournalFill {
  private readonly dataSource: DataSource;
  private readonly journal: Journal;
  private readonly project: string;

  private constructor(dataSource: DataSource, project: string) {
    this.dataSource = dataSource;
    this.journal = new Journal(dataSource, { schema: schemaOf(SERVICE) });
    this.project = project;
  }

  static async start({ file, stack }: BenchStack): Promise<JournalFill> {
    const secrets = JSON.parse(await readFile(join(stack.dataDir, 'secrets.json'), 'utf8')) as {
      services: Record<string, string>;
    };
    const urls = await provision(file.postgres.url, [{ name: SERVICE, password: secrets.services[SERVICE]! }]);
    const dataSource = createDataSource({
      url: urls[SERVICE]!,
      schema: schemaOf(SERVICE),
      entities: [],
      migrations: [],
      poolSize: WRITERS,
    });
    await dataSource.initialize();
    await dataSource.query(
      `CREATE UNLOGGED TABLE ${table.table} (${stateTableColumns(table)}, job_id uuid, target_id uuid, PRIMARY KEY (project_id, id))`,
    );
    return new JournalFill(dataSource, file.project);
  }

  /** Adds so many events, 500 a row. */
  async add(events: number): Promise<void> {
    let left = events;
    const writer = async () => {
      while (left > 0) {
        const count = Math.min(left, PER_ROW);
        left -= count;
        const ids = () => Array.from({ length: count }, () => randomUUID());
        await this.journal.transaction(this.project, (tx) =>
          tx.create(table, { id: ids(), job_id: ids(), target_id: ids() }),
        );
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
  }

  async stop(): Promise<void> {
    await this.dataSource.query(`DROP TABLE ${table.table}`);
    await this.dataSource.destroy();
  }
}
