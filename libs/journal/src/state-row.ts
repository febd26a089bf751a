import { Column, PrimaryColumn } from 'typeorm';

/** What all rows of state tables have: their key, and the columns that transitions read and write. */
export abstract class StateRow<State extends string> {
  @PrimaryColumn('text')
  project_id!: string;

  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  state!: State;

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
}
