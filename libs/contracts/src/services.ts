/** Every service of the product; a name is also its queue group, and with `_` for `-` its schema and database role. */
export const SERVICES = ['device-state', 'command-dispatcher', 'job-planner', 'gateway'] as const;

export type ServiceName = (typeof SERVICES)[number];

/** The Postgres schema (and role) of a service. */
export const schemaOf = (service: ServiceName) => service.replaceAll('-', '_');
