import type { Drift } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';

/** The drift of one device that drifted once at least; its id follows from the device's. */
@Entity({ name: 'drift' })
@Index('drift_due', ['due_at'], { where: 'due_at IS NOT NULL' })
@Index('drift_open', ['project_id', 'id'], { where: `state = 'DRIFTED'` })
export class DriftEntity extends StateRow<Drift['state']> {
  @Column('uuid')
  device_id!: string;

  /** What the device lacks, or lacked when it was resolved. */
  @Column('text', { array: true, default: [] })
  paths!: string[];

  /** The operation that had it converged again last. */
  @Column('uuid', { nullable: true })
  source_id!: string | null;

  /** The operation that was made for that. */
  @Column('uuid', { nullable: true })
  repetition_id!: string | null;

  /** How often that was done since `window_start`. */
  @Column('integer', { default: 0 })
  attempts!: number;

  @Column('timestamptz', { nullable: true })
  window_start!: Date | null;

  /** When it is looked at whether it is to be converged again; null when there is nothing to look at. */
  @Column('timestamptz', { nullable: true })
  due_at!: Date | null;
}
