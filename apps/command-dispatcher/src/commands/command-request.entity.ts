import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Terms } from './terms.js';

/** What the commands of one request share; never changed. */
@Entity({ name: 'command_request' })
export class CommandRequestEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'command_request_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'command_request_pkey' })
  id!: string;

  @Column('text')
  command!: string;

  @Column('jsonb')
  args!: Record<string, unknown>;

  @Column('text')
  reply_to!: string;

  /** What is asked beside a plain send; empty for most. */
  @Column('jsonb')
  terms!: Terms;

  /** Whether a user asked: then it has a row in `user_request` and one in `request_count`. */
  @Column('boolean')
  by_user!: boolean;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;

  /** When commands of it were last asked for, up to a day too early: none of them was created later than a day after that. */
  @Column('timestamptz', { default: () => 'now()' })
  asked_at!: Date;
}
