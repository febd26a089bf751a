import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A device's lane: whether it can be reached, and the one command that it works on. Everything that touches its commands locks it first. */
@Entity({ name: 'lane' })
@Index('lane_unchecked', ['checked_at'], { where: 'NOT online' })
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

  /** The command that the last report of ends took out of flight, if it did. */
  @Column('uuid', { nullable: true })
  released!: string | null;

  /** The last fence given out. */
  @Column('integer', { default: 0 })
  fence!: number;

  /** When presence was last heard or asked for. */
  @Column('timestamptz', { default: () => 'now()' })
  checked_at!: Date;
}
