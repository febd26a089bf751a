import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A device's lane: whether it can be reached, and the one command that it works on. Everything that touches its commands locks it first. */
@Entity({ name: 'lane' })
@Index('lane_unchecked', ['checked_at'], { where: 'NOT online' })
@Index('lane_lock', ['lock_expires_at'], { where: 'lock_expires_at IS NOT NULL' })
export class LaneEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'lane_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'lane_pkey' })
  device_id!: string;

  @Column('boolean')
  online!: boolean;

  /** Version of the device that `online` belongs to; an older word changes nothing. */
  @Column('integer')
  presence_version!: number;

  @Column('uuid', { nullable: true })
  in_flight!: string | null;

  /** The fence that it went out with: concurrent commands and locks have taken others since. */
  @Column('integer', { nullable: true })
  in_flight_fence!: number | null;

  /** The command that the last report of ends took out of flight, if it did. */
  @Column('uuid', { nullable: true })
  released!: string | null;

  /** The last fence given out. */
  @Column('integer', { default: 0 })
  fence!: number;

  /** Whether commands were ever asked for that go out beside the one in flight: else nobody looks for them. */
  @Column('boolean', { default: false })
  concurrent!: boolean;

  /** Whether commands were ever asked for that are held while the device is offline: else nobody looks for them. */
  @Column('boolean', { default: false })
  holds!: boolean;

  /** Who alone may send commands until `lock_expires_at`. */
  @Column('uuid', { nullable: true })
  lock_owner!: string | null;

  @Column('integer', { nullable: true })
  lock_fence!: number | null;

  @Column('text', { default: '' })
  lock_reason!: string;

  @Column('timestamptz', { nullable: true })
  lock_expires_at!: Date | null;

  /** When presence was last heard or asked for. */
  @Column('timestamptz', { default: () => 'now()' })
  checked_at!: Date;
}
