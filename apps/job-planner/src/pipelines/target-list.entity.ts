import type { TargetList } from '@muster/contracts';
import { Column, Entity, ForeignKey, Index } from 'typeorm';
import { PartEntity } from './definition.entity.js';
import { PipelineEntity } from './pipeline.entity.js';

/** A list of devices, or of groups of devices. */
@Entity({ name: 'target_list' })
@Index('target_list_pipeline', ['project_id', 'pipeline_id', 'id'])
@ForeignKey(() => PipelineEntity, ['project_id', 'pipeline_id'], ['project_id', 'id'], {
  name: 'target_list_of_pipeline',
  onDelete: 'CASCADE',
})
export class TargetListEntity extends PartEntity {
  @Column('text')
  name!: string;

  @Column('text')
  target_list_type!: TargetList['target_list_type'];
}
