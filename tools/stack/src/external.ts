import { doorOptions } from '@muster/bus-auth/connect';
import { serviceInbox } from '@muster/contracts';
import { connect } from 'nats';
import pg from 'pg';
import { messageOf, StackError } from './errors.js';
import type { StackOptions } from './options.js';

const CONNECT_MS = 5_000;

/** Looks whether the Postgres of MUSTER_DATABASE_URL answers. @throws StackError with the reason. */
export async function checkPostgres(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw new StackError(
      `MUSTER_DATABASE_URL: cannot connect: ${messageOf(error) || (error as { code?: string }).code}`,
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

type NatsDoor = Pick<StackOptions, 'natsCreds' | 'natsCa'> & { natsUrl: string };

/** Looks whether the server of MUSTER_NATS_URL answers and has JetStream. @throws StackError with the reason. */
export async function checkNats({ natsUrl: url, natsCreds: creds, natsCa: ca }: NatsDoor): Promise<void> {
  try {
    const connection = await connect({
      ...doorOptions({ url, creds, ca, inbox: serviceInbox('gateway') }),
      timeout: CONNECT_MS,
      reconnect: false,
    });
    try {
      await (await connection.jetstreamManager()).getAccountInfo();
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw new StackError(`MUSTER_NATS_URL: no NATS server with JetStream: ${messageOf(error)}`);
  }
}
