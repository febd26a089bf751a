export { Journal, type FaultPoint, type JournalOptions } from './journal.js';
export { Tx, type Created, type CreateOptions, type Moved, type NewRows, type Patch } from './tx.js';
export * from './state-table.js';
export * from './journal.migration.js';
export * from './partitions.js';
export * from './dead-letters.js';
export { Relay, type RelayOptions } from './relay.js';
export { rebuild, type RebuildOptions } from './rebuild.js';
export { currentTraceparent } from './trace.js';
