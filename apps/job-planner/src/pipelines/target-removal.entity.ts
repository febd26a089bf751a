import { Entity, PrimaryColumn } from 'typeorm';

/** A target list that is gone, and whose targets are to be deleted, page by page. */
@Entity({ name: 'target_removal' })
export class TargetRemovalEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'target_removal_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'target_removal_pkey' })
  target_list_id!: string;
}
