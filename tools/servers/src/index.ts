export { ServerError } from './server-error.js';
export type { Server } from './server.js';
export { startPostgres, type PostgresOptions, type PostgresServer } from './postgres.js';
export { stopStalePostgres } from './postgres-cluster.js';
export { startNats, stopStaleNats, type NatsOptions, type NatsServer } from './nats.js';
export { freePort, portIsFree } from './ports.js';
export { isAlive, commandLine, startTime, stopProcess } from './processes.js';
export { INTERRUPTED, onInterrupt } from './interrupts.js';
export { launch, type Launched, type LaunchListeners } from './launch.js';
