import { Column, Entity, Index } from 'typeorm';
import { PartEntity } from './definition.entity.js';

/** A device in a target list. It may outlive its list for a while: it is deleted in the background, and nobody sees it until then. */
@Entity({ name: 'target' })
@Index('target_device', ['project_id', 'target_list_id', 'device_id'], { unique: true })
@Index('target_list_order', ['project_id', 'target_list_id', 'id'])
@Index('target_active', ['project_id', 'target_list_id', 'id'], { where: 'is_active' })
export class TargetEntity extends PartEntity {
  @Column('uuid')
  target_list_id!: string;

  @Column('uuid')
  device_id!: string;

  @Column('text')
  device_name!: string;

  @Column('text')
  device_alias!: string;

  @Column('boolean')
  is_active!: boolean;
}
