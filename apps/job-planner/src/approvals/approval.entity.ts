import type { ApprovalState } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Somebody's word that a wave waits for; its comment is the `reason` of its state. */
@Entity({ name: 'approval' })
@Index('approval_of_wave', ['project_id', 'subject_id', 'wave'], { unique: true })
@Index('approval_pending', ['project_id', 'id'], { where: `state = 'pending'` })
export class ApprovalEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'approval_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'approval_pkey' })
  id!: string;

  @Column('text')
  state!: ApprovalState;

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

  @Column('text')
  subject_entity!: string;

  /** Also the id of its rollout. */
  @Column('uuid')
  subject_id!: string;

  @Column('text')
  subject_name!: string;

  /** From 1. */
  @Column('integer')
  wave!: number;

  @Column('uuid')
  requested_by!: string;

  @Column('uuid', { nullable: true })
  decided_by!: string | null;
}
