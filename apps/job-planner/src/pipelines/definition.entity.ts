import { Column, PrimaryColumn } from 'typeorm';

/** What all rows of definitions have: their key, and who made and changed them when. Users are the numbers of their tokens. */
export abstract class DefinitionEntity {
  @PrimaryColumn('text')
  project_id!: string;

  @PrimaryColumn('uuid')
  id!: string;

  @Column('integer')
  created_by!: number;

  @Column('integer')
  updated_by!: number;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at!: Date;
}

/** What belongs to a pipeline. */
export abstract class PartEntity extends DefinitionEntity {
  @Column('uuid')
  pipeline_id!: string;
}
