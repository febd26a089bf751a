import { Entity, Index, PrimaryColumn } from 'typeorm';

/** One device in the list of one group. */
@Entity({ name: 'group_member' })
@Index('group_member_device', ['project_id', 'device_id', 'group_id'])
export class GroupMemberEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'group_member_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'group_member_pkey' })
  group_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'group_member_pkey' })
  device_id!: string;
}
