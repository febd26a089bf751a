import { decode } from '@nats-io/jwt';
import type { DeviceKey } from './permissions.js';

const DEVICE = /^device\.([a-z0-9-]{1,40})\.([0-9a-f-]{36})$/;

/** The name of a device's user; the bus tells it as `name_tag` when the device connects and disconnects. */
export const deviceUserName = ({ project, device }: DeviceKey): string => `device.${project}.${device}`;

/** Project and device of a device's user; undefined for every other user. */
export function deviceOfUser(name: string): DeviceKey | undefined {
  const [, project, device] = DEVICE.exec(name) ?? [];
  return project && device ? { project, device } : undefined;
}

/**
 * Public key of the account that a user belongs to.
 * @param creds the text of a credentials file.
 * @throws Error when it is none.
 */
export function accountOf(creds: string): string {
  const [, jwt] = /-----BEGIN NATS USER JWT-----\s*([\w.-]+)/.exec(creds) ?? [];
  if (!jwt) throw new Error('no NATS credentials');
  const { iss, nats } = decode<{ issuer_account?: string }>(jwt);
  return nats.issuer_account ?? iss;
}
