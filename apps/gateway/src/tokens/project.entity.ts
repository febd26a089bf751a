import { Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/** A project has a slug (paths, subjects) and a UUID (where an API shows one); interfaces: "Common to every family". */
@Entity('project')
@Unique('project_id', ['id'])
export class ProjectEntity {
  @PrimaryColumn('text')
  slug!: string;

  @Column('uuid')
  id!: string;

  /** Whoever asked for an approval may not decide it. */
  @Column('boolean', { default: false })
  four_eyes!: boolean;
}
