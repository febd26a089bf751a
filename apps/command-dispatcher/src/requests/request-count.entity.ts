import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How many commands of a user's request are in each state, moved with them. A row of its own: nobody waits for it who waits for anything else. */
@Entity({ name: 'request_count' })
export class RequestCountEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'request_count_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'request_count_pkey' })
  id!: string;

  @Column('integer', { default: 0 })
  total!: number;

  @Column('integer', { default: 0 })
  QUEUED!: number;

  @Column('integer', { default: 0 })
  SCHEDULED!: number;

  @Column('integer', { default: 0 })
  INITIATED!: number;

  @Column('integer', { default: 0 })
  ACKNOWLEDGED!: number;

  @Column('integer', { default: 0 })
  INPROGRESS!: number;

  @Column('integer', { default: 0 })
  SUCCESS!: number;

  @Column('integer', { default: 0 })
  FAILURE!: number;

  @Column('integer', { default: 0 })
  TIMEOUT!: number;

  @Column('integer', { default: 0 })
  CANCELLED!: number;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at!: Date;
}
