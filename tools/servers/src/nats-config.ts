import { join } from 'node:path';

/** Who a NATS server lets in: users whom an account of this operator vouches for, and nobody else. */
export interface NatsAuthentication {
  /** JWT of the operator. */
  operatorJwt: string;
  /** Public key of the account that sees and steers the server. */
  systemAccount: string;
  /** Public key → JWT of the accounts to begin with. What the server was given since, and keeps, wins over an older one. */
  accounts: Readonly<Record<string, string>>;
}

/** Paths of PEM files: the server's certificate and its private key. */
export interface NatsTls {
  cert: string;
  key: string;
}

export interface NatsConfig {
  host: string;
  port: number;
  mqttPort: number;
  dataDir: string;
  authentication?: NatsAuthentication | undefined;
  tls?: NatsTls | undefined;
}

// Streams reserve what they may grow to; left to itself the server allows three quarters of the free disk, and refuses to make them on a small
// one. Each of ours has a limit of its own, which MUSTER_EVENT_GIB may raise: this one is never to be the smaller.
const MAX_FILE = '1TB';
/** A user's token is part of the line with which it connects, and tells all that it may do: more than the 4 KB that the server reads by itself. */
const MAX_CONTROL_LINE = '32KB';

const quoted = (text: string) => JSON.stringify(text);

const users = ({ operatorJwt, systemAccount, accounts }: NatsAuthentication, dataDir: string) => `
operator: ${quoted(operatorJwt)}
system_account: ${systemAccount}
resolver {
  type: full
  dir: ${quoted(join(dataDir, 'accounts'))}
}
resolver_preload {
${Object.entries(accounts)
  .map(([account, jwt]) => `  ${account}: ${quoted(jwt)}`)
  .join('\n')}
}
`;

const certificate = ({ cert, key }: NatsTls) => `tls {
  cert_file: ${quoted(cert)}
  key_file: ${quoted(key)}
}
`;

/** The text of a nats-server's configuration file. */
export const natsConfig = ({
  host,
  port,
  mqttPort,
  dataDir,
  authentication,
  tls,
}: NatsConfig): string => `server_name: muster-local
host: ${host}
port: ${port}
pid_file: ${quoted(join(dataDir, 'nats-server.pid'))}
max_payload: 8MB
max_control_line: ${MAX_CONTROL_LINE}
jetstream {
  store_dir: ${quoted(join(dataDir, 'jetstream'))}
  max_file: ${MAX_FILE}
}
mqtt {
  host: ${host}
  port: ${mqttPort}
${tls ? certificate(tls) : ''}}
${tls ? certificate(tls) : ''}${authentication ? users(authentication, dataDir) : ''}`;
