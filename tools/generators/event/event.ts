import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { appendTo, Change, importFrom } from '../change.ts';
import { nameOf, type Name } from '../names.ts';

/** The words that a new entity starts with; they are meant to be changed, in the contract and in the lifecycle. */
const STATES = ['PENDING', 'DONE', 'FAILED'];

const contractOf = ({ kebab, camel }: Name, service: Name) => `
export const ${camel}Entity = defineEntity('${kebab}', '${service.kebab}', [${STATES.map((state) => `'${state}'`).join(', ')}], {});
`;

const lifecycleOf = ({ kebab, camel }: Name) => `
import type { ${camel}Entity, StateOf } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

export const ${camel}Lifecycle = defineLifecycle<StateOf<typeof ${camel}Entity>>({
  entity: '${kebab}',
  initial: 'PENDING',
  states: {
    PENDING: { to: ['DONE', 'FAILED'] },
    DONE: { to: [], ends: true },
    FAILED: { to: [], ends: true },
  },
});
`;

const specOf = ({ kebab, camel }: Name) => `
import { ${camel}Entity } from '@muster/contracts';
import { isEnd, statesOf } from '@muster/lifecycle';
import { describe, expect, it } from 'vitest';
import { ${camel}Lifecycle } from './${kebab}.lifecycle.js';

describe('the lifecycle of a ${kebab}', () => {
  it('has the states that the contract tells the outside', () => {
    expect(statesOf(${camel}Lifecycle).toSorted()).toEqual([...${camel}Entity.states].toSorted());
  });

  it('given a ${kebab} that is done or has failed, then nothing more happens', () => {
    expect(statesOf(${camel}Lifecycle).filter((state) => isEnd(${camel}Lifecycle, state))).toEqual(['DONE', 'FAILED']);
  });
});
`;

const tableOf = ({ kebab, camel, snake }: Name) => `
import { ${camel}Entity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { ${camel}Lifecycle } from './${kebab}.lifecycle.js';

export const ${camel}Table = defineStateTable(${camel}Entity, {
  lifecycle: ${camel}Lifecycle,
  table: '${snake}',
  columns: {},
  eventData: [],
  activity: true,
  traced: true,
});
`;

const entityOf = ({ camel, pascal, snake }: Name) => `
import type { ${camel}Entity, StateOf } from '@muster/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: '${snake}' })
export class ${pascal}Entity {
  @PrimaryColumn('text', { primaryKeyConstraintName: '${snake}_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: '${snake}_pkey' })
  id!: string;

  @Column('text')
  state!: StateOf<typeof ${camel}Entity>;

  @Column('text', { nullable: true })
  from_state!: string | null;

  @Column('integer')
  version!: number;

  @Column('text', { default: '' })
  reason!: string;

  @Column('timestamptz', { default: () => 'now()' })
  state_at!: Date;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;

  @Column('jsonb', { default: [] })
  activity!: { state: string; at: string }[];

  @Column('text', { nullable: true })
  traceparent!: string | null;
}
`;

const migrationOf = ({ snake }: Name, migration: string) => `
import { stateTableColumns } from '@muster/journal';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ${migration} implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(\`
      CREATE TABLE ${snake} (
        \${stateTableColumns({ activity: true, traced: true })},
        CONSTRAINT ${snake}_pkey PRIMARY KEY (project_id, id)
      )\`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
`;

/**
 * Adds an entity whose transitions are published: its contract, lifecycle, table, row and migration. What it is about (states,
 * columns, data of its events) is then for its author to write.
 * @param now stamps the migration, so that it comes after those that exist.
 * @throws Error when the service does not exist, or the entity does.
 */
export async function addEvent(root: string, entity: string, owner: string, now: Date): Promise<string[]> {
  const name = nameOf(entity);
  const service = nameOf(owner);
  const app = `apps/${service.kebab}`;
  if (!existsSync(join(root, app))) throw new Error(`there is no service ${service.kebab}`);
  const folder = `${app}/src/${name.kebab}s`;
  const migration = `${name.pascal}s${now.getTime()}`;
  const migrationFile = `migrations/${now.getTime()}-${name.kebab}s`;

  const change = new Change(root);
  change.add(`${folder}/${name.kebab}.lifecycle.ts`, lifecycleOf(name));
  change.add(`${folder}/${name.kebab}.lifecycle.spec.ts`, specOf(name));
  change.add(`${folder}/${name.kebab}.table.ts`, tableOf(name));
  change.add(`${folder}/${name.kebab}.entity.ts`, entityOf(name));
  change.add(`${app}/src/${migrationFile}.ts`, migrationOf(name, migration));
  for (const edit of [
    importFrom(`./${migrationFile}.js`, migration),
    importFrom(`./${name.kebab}s/${name.kebab}.entity.js`, `${name.pascal}Entity`),
    appendTo('entities', `${name.pascal}Entity`),
    appendTo('migrations', migration),
  ]) {
    await change.edit(`${app}/src/schema.ts`, edit);
  }

  const contracts = 'libs/contracts/src';
  const contract = `${contracts}/${service.kebab}.ts`;
  if (existsSync(join(root, contract))) {
    await change.edit(contract, (text) => {
      const ready = text.includes('defineEntity') ? text : importFrom('./entity.js', 'defineEntity')(text);
      return `${ready}${contractOf(name, service)}`;
    });
  } else {
    change.add(contract, `import { defineEntity } from './entity.js';\n${contractOf(name, service)}`);
    await change.edit(`${contracts}/index.ts`, (text) => `${text}export * from './${service.kebab}.js';\n`);
  }
  await change.edit(`${contracts}/catalogue.ts`, importFrom(`./${service.kebab}.js`, `${name.camel}Entity`));
  await change.edit(`${contracts}/catalogue.ts`, appendTo('entities', `${name.camel}Entity`));
  return change.apply();
}
