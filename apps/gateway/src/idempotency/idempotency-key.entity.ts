import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One `Idempotency-Key` of a project: what was asked with it, the id that its resource has, and the answer once there is one. */
@Entity('idempotency_key')
@Index('idempotency_key_age', ['created_at'])
export class IdempotencyKeyEntity {
  @PrimaryColumn('text')
  project_id!: string;

  @PrimaryColumn('text')
  key!: string;

  @Column('text')
  request_hash!: string;

  @Column('uuid')
  resource_id!: string;

  @Column('json', { nullable: true })
  response!: object | null;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;
}
