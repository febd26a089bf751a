import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A connection of a device to the bus, from when it is heard of until both its ends are known. */
@Entity({ name: 'device_connection' })
@Index('device_connection_ended', ['ended_at'], { where: 'ended_at IS NOT NULL' })
export class ConnectionEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'device_connection_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'device_connection_pkey' })
  device_id!: string;

  /** Of the nats-server; it has another one after each start. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'device_connection_pkey' })
  server_id!: string;

  /** The server's number of the connection. */
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'device_connection_pkey' })
  client_id!: string;

  /** Of the nats-server; it stays the same. */
  @Column('text')
  server_name!: string;

  @Column('boolean')
  connected!: boolean;

  /** Set without `connected`: its end was told before its beginning. */
  @Column('timestamptz', { nullable: true })
  ended_at!: Date | null;
}
