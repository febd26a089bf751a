import { Entity, PrimaryColumn } from 'typeorm';

/** An operation whose device operations are to be deleted, page by page. */
@Entity({ name: 'device_operation_removal' })
export class DeviceOperationRemovalEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'device_operation_removal_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'device_operation_removal_pkey' })
  operation_id!: string;
}
