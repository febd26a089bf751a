import type { DeviceOperationState, JsonObject } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';

/** One device's part of an operation. */
@Entity({ name: 'device_operation' })
@Index('device_operation_device', ['project_id', 'operation_id', 'device_id'], { unique: true })
@Index('device_operation_state', ['project_id', 'operation_id', 'state', 'device_id'])
@Index('device_operation_of_device', ['project_id', 'device_id', 'id'])
@Index('device_operation_due', ['project_id', 'due_at', 'id'], { where: 'due_at IS NOT NULL' })
@Index('device_operation_unproven', ['project_id', 'device_id'], {
  where: `state = 'COMPLETED' OR (wanted IS NOT NULL AND state IN ('INITIATED', 'DISPATCHED', 'PROCESSING'))`,
})
@Index('device_operation_proof_due', ['due_at'], { where: `state = 'COMPLETED'` })
export class DeviceOperationEntity extends StateRow<DeviceOperationState> {
  @Column('jsonb', { default: [] })
  activity!: { state: DeviceOperationState; at: string }[];

  @Column('uuid')
  operation_id!: string;

  @Column('uuid')
  device_id!: string;

  /** Null until it is asked for, and of one that needs none. */
  @Column('uuid', { nullable: true })
  command_id!: string | null;

  /** In a rollout, with which of its turns it was given its command; 0 before, and without one. */
  @Column('integer', { default: 0 })
  turn!: number;

  /** What a CONVERGE asked of the device, and its report has to show. */
  @Column('jsonb', { nullable: true })
  wanted!: JsonObject | null;

  @Column('boolean', { default: false })
  cancel_requested!: boolean;

  /** Until when it waits for what its state says; null once it has ended. */
  @Column('timestamptz', { nullable: true })
  due_at!: Date | null;

  /** When its command, or the cancel of it, is asked for again if no outcome has come. */
  @Column('timestamptz', { nullable: true })
  ask_at!: Date | null;

  /** How often that was done. */
  @Column('integer', { default: 0 })
  asks!: number;
}
