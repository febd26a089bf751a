import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Credentials of one device; the secret is kept nowhere. */
@Entity({ name: 'device_credential' })
@Index('device_credential_device', ['project_id', 'device_id', 'id'])
@Index('device_credential_key', ['public_key'], { unique: true })
@Index('device_credential_expires', ['expires_at'])
@Index('device_credential_revoked', ['revoked_at'], { where: 'revoked_at IS NOT NULL' })
export class CredentialEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'device_credential_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'device_credential_pkey' })
  id!: string;

  @Column('uuid')
  device_id!: string;

  /** Of the user on the bus, by which it is revoked. */
  @Column('text')
  public_key!: string;

  @Column('timestamptz')
  issued_at!: Date;

  /** Whole seconds, as tokens have them. */
  @Column('timestamptz')
  expires_at!: Date;

  /** From when they open nothing; the overlap of a rotation puts it into the future. */
  @Column('timestamptz', { nullable: true })
  revoked_at!: Date | null;

  @Column('uuid')
  created_by!: string;
}
