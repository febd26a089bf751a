import { credsAuthenticator, type Authenticator, type ConnectionOptions } from 'nats';
import { readFileSync } from 'node:fs';

export { stayConnected } from './reconnect.js';

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
  return {
    servers: url,
    inboxPrefix: inbox,
    ...(creds !== undefined && {
      authenticator: ofFile(creds),
      // A server that is coming up may refuse good credentials for a while.
      ignoreAuthErrorAbort: true,
    }),
    ...((ca !== undefined || url.startsWith('tls:')) && {
      tls: ca === undefined ? {} : { ca: readFileSync(ca, 'utf8') },
    }),
  };
}

/**
 * Signs with what the file says at the time. If that is nothing, with what it said last: the client would end for ever, because of a file that is just
 * being replaced.
 */
function ofFile(path: string): Authenticator {
  let last = readFileSync(path);
  return (nonce) => {
    try {
      const present = readFileSync(path);
      const signed = credsAuthenticator(present)(nonce);
      last = present;
      return signed;
    } catch {
      return credsAuthenticator(last)(nonce);
    }
  };
}
