import { Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { StageEntity } from './stage.entity.js';
import { TargetListEntity } from './target-list.entity.js';

/** A target list that a stage uses. */
@Entity({ name: 'stage_target_list' })
@Index('stage_target_list_list', ['project_id', 'target_list_id'])
@ForeignKey(() => StageEntity, ['project_id', 'stage_id'], ['project_id', 'id'], {
  name: 'target_list_of_stage',
  onDelete: 'CASCADE',
})
@ForeignKey(() => TargetListEntity, ['project_id', 'target_list_id'], ['project_id', 'id'], {
  name: 'stage_of_target_list',
  onDelete: 'CASCADE',
})
export class StageTargetListEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'stage_target_list_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'stage_target_list_pkey' })
  stage_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'stage_target_list_pkey' })
  target_list_id!: string;
}
