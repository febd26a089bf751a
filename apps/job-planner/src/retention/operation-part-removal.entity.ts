import { Entity, PrimaryColumn } from 'typeorm';

/** An operation the parts of whose devices are to be deleted, page by page. */
@Entity({ name: 'operation_part_removal' })
export class OperationPartRemovalEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'operation_part_removal_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'operation_part_removal_pkey' })
  operation_id!: string;
}
