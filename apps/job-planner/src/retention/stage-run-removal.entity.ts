import { Entity, PrimaryColumn } from 'typeorm';

/** A stage run whose target runs, and the parts of its devices, are to be deleted, page by page. The stage run itself may be gone. */
@Entity({ name: 'stage_run_removal' })
export class StageRunRemovalEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'stage_run_removal_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'stage_run_removal_pkey' })
  stage_run_id!: string;
}
