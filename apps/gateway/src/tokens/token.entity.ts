import { Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';
import type { Role } from '../auth/roles.js';
import { ProjectEntity } from './project.entity.js';

/** Who may do what in a project. The secret itself is not kept: it has 256 random bits, so its plain SHA-256 tells nothing. */
@Entity('token')
@Unique('token_secret', ['secret_hash'])
@Index('token_project', ['project', 'id'])
export class TokenEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  @ForeignKey(() => ProjectEntity, 'slug', { name: 'token_of_project' })
  project!: string;

  @Column('text')
  name!: string;

  @Column('text')
  role!: Role;

  @Column('text')
  secret_hash!: string;

  /** Who acted, where an API shows a UUID. */
  @Column('uuid')
  actor_id!: string;

  /** Who acted, where an API shows a number. */
  @Column({ type: 'integer', generated: 'identity', generatedIdentity: 'ALWAYS' })
  actor_number!: number;

  /** IANA name; schedules that go by their maker's clock are read in it. */
  @Column('text', { default: 'UTC' })
  timezone!: string;

  /** The token of the environment: the only one that may open other projects. */
  @Column('boolean', { default: false })
  installation!: boolean;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;

  @Column('timestamptz', { nullable: true })
  expires_at!: Date | null;

  @Column('timestamptz', { nullable: true })
  revoked_at!: Date | null;
}
