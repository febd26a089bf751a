import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A cancel that came before its command: the command ends as soon as it is created. */
@Entity({ name: 'command_cancel' })
export class CommandCancelEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'command_cancel_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'command_cancel_pkey' })
  id!: string;

  @Column('text')
  reason!: string;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;
}
