import { Column, Entity, ForeignKey, Index } from 'typeorm';
import { PartEntity } from './definition.entity.js';
import { StageEntity } from './stage.entity.js';

/** A list of operations of a stage. */
@Entity({ name: 'operation_list' })
@Index('operation_list_stage', ['project_id', 'stage_id', 'id'])
@ForeignKey(() => StageEntity, ['project_id', 'stage_id'], ['project_id', 'id'], {
  name: 'operation_list_of_stage',
  onDelete: 'CASCADE',
})
export class OperationListEntity extends PartEntity {
  @Column('uuid')
  stage_id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  description!: string;
}
