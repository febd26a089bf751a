import { credsAuthenticator, type ConnectionOptions } from 'nats';
import { readFileSync } from 'node:fs';

/** How somebody comes to the bus. */
export interface BusDoor {
  /** `nats://` or `tls://`; the latter is never spoken in the clear. */
  url: string;
  /** Path of a credentials file; undefined where the bus has no users. */
  creds?: string | undefined;
  /** Path of the certificates of authority (PEM) that vouch for the bus; those of the system when undefined. */
  ca?: string | undefined;
  /** The user's own prefix of subjects for answers. */
  inbox: string;
}

/**
 * Options of the NATS client for it. The credentials are read at each connecting, so that a file that was replaced counts from then on.
 * @throws Error when a file cannot be read.
 */
export function doorOptions({ url, creds, ca, inbox }: BusDoor): ConnectionOptions {
  if (creds !== undefined) readFileSync(creds);
  return {
    servers: url,
    inboxPrefix: inbox,
    ...(creds !== undefined && {
      authenticator: (nonce?: string) => credsAuthenticator(readFileSync(creds))(nonce),
      // A server that is coming up may refuse good credentials for a while.
      ignoreAuthErrorAbort: true,
    }),
    ...((ca !== undefined || url.startsWith('tls:')) && {
      tls: ca === undefined ? {} : { ca: readFileSync(ca, 'utf8') },
    }),
  };
}
