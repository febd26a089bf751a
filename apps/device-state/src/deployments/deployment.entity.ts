import type { DeployedVersion, Deployment, JsonObject } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One deployment on one device. */
@Entity({ name: 'deployment' })
@Index('deployment_device', ['project_id', 'device_id', 'id'])
@Index('deployment_name', ['project_id', 'name', 'id'], { where: `name <> ''` })
export class DeploymentEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'deployment_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'deployment_pkey' })
  id!: string;

  @Column('text')
  state!: Deployment['state'];

  @Column('text', { nullable: true })
  from_state!: string | null;

  @Column('integer')
  version!: number;

  @Column('text', { default: '' })
  reason!: string;

  @Column('timestamptz', { default: () => 'now()' })
  state_at!: Date;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at!: Date;

  @Column('uuid')
  device_id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  deployed_version!: string;

  /** The command that made the latest version. */
  @Column('uuid')
  command_id!: string;

  @Column('jsonb')
  args!: JsonObject;

  /** The timeline is read from them, so they tell which state each brought. */
  @Column('jsonb')
  versions!: (DeployedVersion & { state: Deployment['state'] })[];
}
