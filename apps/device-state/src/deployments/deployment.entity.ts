import type { DeployedVersion, Deployment, JsonObject } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';

/** One deployment on one device. */
@Entity({ name: 'deployment' })
@Index('deployment_device', ['project_id', 'device_id', 'id'])
@Index('deployment_name', ['project_id', 'name', 'id'], { where: `name <> ''` })
export class DeploymentEntity extends StateRow<Deployment['state']> {
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
