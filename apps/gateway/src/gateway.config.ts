import { ADMIN_TOKEN_RULE, isAdminToken } from '@muster/contracts';

/** What the gateway is told beside what every service is told. */
export interface GatewayConfig {
  /** `MUSTER_ADMIN_TOKEN`: the installation's own token, an admin of `project` and the only one that may open other projects. */
  adminToken: string;
  /** `MUSTER_PROJECT`: slug of the project that the installation starts with. */
  project: string;
}

/** @throws Error naming the variable that is missing or wrong; the token is not repeated. */
export function readGatewayConfig(env: NodeJS.ProcessEnv): GatewayConfig {
  const adminToken = env['MUSTER_ADMIN_TOKEN'];
  if (!adminToken) throw new Error('MUSTER_ADMIN_TOKEN is not set');
  if (!isAdminToken(adminToken)) throw new Error(`MUSTER_ADMIN_TOKEN ${ADMIN_TOKEN_RULE}`);
  const project = env['MUSTER_PROJECT'] || 'demo';
  if (!/^[a-z0-9-]{1,40}$/.test(project)) throw new Error('MUSTER_PROJECT must be 1 to 40 of a-z, 0-9 and -');
  return { adminToken, project };
}
