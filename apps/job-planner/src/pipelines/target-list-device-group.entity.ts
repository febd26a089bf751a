import { Column, Entity, ForeignKey, Index } from 'typeorm';
import { PartEntity } from './definition.entity.js';
import { TargetListEntity } from './target-list.entity.js';

/** A group of devices in a target list. The group is device-state's, and may be gone. */
@Entity({ name: 'target_list_device_group' })
@Index('target_list_device_group_once', ['project_id', 'target_list_id', 'device_group_id'], { unique: true })
@ForeignKey(() => TargetListEntity, ['project_id', 'target_list_id'], ['project_id', 'id'], {
  name: 'device_group_of_target_list',
  onDelete: 'CASCADE',
})
export class TargetListDeviceGroupEntity extends PartEntity {
  @Column('uuid')
  target_list_id!: string;

  @Column('uuid')
  device_group_id!: string;
}
