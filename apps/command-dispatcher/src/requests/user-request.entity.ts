import type { NewCommandRequest } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** What a user asked for, and how far it is carried out. Beside the request itself, which nothing ever changes. */
@Entity({ name: 'user_request' })
@Index('user_request_due', ['due_at'], { where: 'due_at IS NOT NULL' })
export class UserRequestEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'user_request_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'user_request_pkey' })
  id!: string;

  @Column('jsonb')
  body!: NewCommandRequest;

  /** Of whoever asked: what `time_type: console` is read in. */
  @Column('text')
  timezone!: string;

  @Column('uuid')
  created_by!: string;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;

  /** Whether all of its commands are made. */
  @Column('boolean', { default: false })
  expanded!: boolean;

  /** How far its devices were walked. */
  @Column('text', { default: '' })
  cursor!: string;

  @Column('timestamptz', { nullable: true })
  cancelled_at!: Date | null;

  /** Why it was cancelled. */
  @Column('text', { default: '' })
  reason!: string;

  /** When there is more to do: commands to be made, or to be cancelled. */
  @Column('timestamptz', { nullable: true })
  due_at!: Date | null;
}
