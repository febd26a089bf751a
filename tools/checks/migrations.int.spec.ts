import { testPostgres, type TestPostgres } from '@muster/testing';
import { Column, Entity, PrimaryColumn, type MigrationInterface, type QueryRunner } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { driftOf } from './migrations.ts';

class Thing1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE thing (id uuid NOT NULL CONSTRAINT thing_pkey PRIMARY KEY, name text NOT NULL)`);
  }

  async down(): Promise<void> {}
}

@Entity({ name: 'thing' })
class Thing {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'thing_pkey' })
  id!: string;

  @Column('text')
  name!: string;
}

@Entity({ name: 'thing' })
class ChangedThing extends Thing {
  @Column('integer')
  weight!: number;
}

describe('driftOf', () => {
  let postgres: TestPostgres;

  beforeAll(async () => {
    postgres = await testPostgres();
  });

  afterAll(() => postgres.stop());

  it('given entities as the migrations make them, then nothing is missing', async () => {
    const schema = { entities: [Thing], migrations: [Thing1700000000001] };
    expect(await driftOf('gateway', schema, await postgres.createDatabase())).toEqual([]);
  });

  it('given an entity with a column that no migration makes, then the statement that is missing is named', async () => {
    const schema = { entities: [ChangedThing], migrations: [Thing1700000000001] };
    expect(await driftOf('gateway', schema, await postgres.createDatabase())).toEqual([
      'ALTER TABLE "thing" ADD "weight" integer NOT NULL',
    ]);
  });
});
