import pg from 'pg';

/** A service's place in the database: the role it signs in with, and the schema of the same name that it alone may touch. */
export interface ServiceRole {
  name: string;
  password: string;
}

/**
 * Creates for each service a role and a schema of its own, `-` as `_`; nobody else may look into it. Safe to repeat: it sets the passwords anew.
 * @param adminUrl URL of a role that may create roles and schemas.
 * @returns each service's own database URL.
 */
export async function provision(adminUrl: string, services: readonly ServiceRole[]): Promise<Record<string, string>> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const urls: Record<string, string> = {};
    for (const service of services) urls[service.name] = await provisionOne(client, adminUrl, service);
    return urls;
  } finally {
    await client.end();
  }
}

async function provisionOne(client: pg.Client, adminUrl: string, service: ServiceRole): Promise<string> {
  const schema = service.name.replaceAll('-', '_');
  const role = await roleName(client, schema);
  const exists = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  const verb = exists.rowCount ? 'ALTER' : 'CREATE';
  const name = client.escapeIdentifier(role);
  await client.query(
    `${verb} ROLE ${name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD ${client.escapeLiteral(service.password)}`,
  );
  // Only a member of a role may give it a schema; a managed Postgres has no superuser to skip that rule.
  await client.query(`GRANT ${name} TO CURRENT_USER`);
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${client.escapeIdentifier(schema)} AUTHORIZATION ${name}`);
  await client.query(`REVOKE ALL ON SCHEMA ${client.escapeIdentifier(schema)} FROM PUBLIC`);
  await client.query(
    `ALTER ROLE ${name} IN DATABASE ${client.escapeIdentifier(client.database ?? '')} SET search_path = ${client.escapeIdentifier(schema)}`,
  );
  const url = new URL(adminUrl);
  url.username = role;
  url.password = encodeURIComponent(service.password);
  return url.toString();
}

/** Roles belong to the whole server, schemas to a database: a role carries its database's name. */
async function roleName(client: pg.Client, schema: string): Promise<string> {
  const { rows } = await client.query<{ db: string }>('SELECT current_database() AS db');
  return `${rows[0]!.db}_${schema}`;
}
