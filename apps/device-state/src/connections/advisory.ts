import { deviceOfUser } from '@muster/bus-auth';
import { DeviceSender, validate } from '@muster/contracts';
import Type from 'typebox';
import type { Sender } from '../presence/sign.js';

/** What a nats-server tells of a client that connected or disconnected; of much more, this. */
const Advisory = Type.Object({
  timestamp: Type.String(),
  server: Type.Object({ id: Type.String(), name: Type.String() }),
  client: Type.Object({ id: Type.Integer(), name_tag: Type.Optional(Type.String()), start: Type.String() }),
});

/**
 * Word of one connection of a device: that it began, that it ended, or both. Times are the server's, epoch ms.
 * @property opened_at when it was opened, which either word tells.
 */
export interface Word extends Sender {
  server_id: string;
  server_name: string;
  client_id: number;
  opened_at: number;
  began_at: number | null;
  ended_at: number | null;
}

/**
 * Reads an advisory; undefined for whoever is no device (services, readers, simulated fleets) and for what cannot be read.
 * @param what which advisory it is, by the end of its subject.
 */
export function wordOf(what: 'CONNECT' | 'DISCONNECT', text: string): Word | undefined {
  let advisory: unknown;
  try {
    advisory = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (validate(Advisory, advisory).length > 0) return undefined;
  const { timestamp, server, client } = advisory as Type.Static<typeof Advisory>;
  const key = deviceOfUser(client.name_tag ?? '');
  const [at, opened_at] = [Date.parse(timestamp), Date.parse(client.start)];
  if (!key || Number.isNaN(at) || Number.isNaN(opened_at)) return undefined;
  const sender = { project_id: key.project, device_id: key.device };
  if (validate(DeviceSender, sender).length > 0) return undefined;
  return {
    ...sender,
    server_id: server.id,
    server_name: server.name,
    client_id: client.id,
    opened_at,
    began_at: what === 'CONNECT' ? at : null,
    ended_at: what === 'DISCONNECT' ? at : null,
  };
}

/** One word for each connection: what several say of it taken together. */
export function oneWordEach(words: readonly Word[]): Word[] {
  const found = new Map<string, Word>();
  for (const word of words) {
    const key = `${word.project_id} ${word.device_id} ${word.server_id} ${word.client_id}`;
    const { began_at = null, ended_at = null } = found.get(key) ?? {};
    found.set(key, { ...word, began_at: word.began_at ?? began_at, ended_at: word.ended_at ?? ended_at });
  }
  return [...found.values()];
}
