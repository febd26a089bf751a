import { Column, Entity, Index } from 'typeorm';
import { DefinitionEntity } from './definition.entity.js';

/** A pipeline. Who changes it, or anything that belongs to it, locks its row first. */
@Entity({ name: 'pipeline' })
@Index('pipeline_name', ['project_id', 'name', 'id'])
export class PipelineEntity extends DefinitionEntity {
  @Column({ type: 'text', collation: 'C' })
  name!: string;

  @Column('text')
  description!: string;

  @Column('boolean')
  is_active!: boolean;

  @Column('boolean')
  is_default!: boolean;

  /** How long a run may take. */
  @Column('integer')
  timeout_seconds!: number;

  /** The number of its last run, also where that was deleted; 0 where it had none. */
  @Column('integer', { default: 0 })
  last_run_number!: number;
}
