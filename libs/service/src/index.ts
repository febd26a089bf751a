export { runService } from './run.js';
export { startService, type RunningService, type ServiceDefinition } from './start.js';
export { readConfig, type ServiceConfig } from './config.js';
export { createLogger, type Logger } from './logger.js';
export { Drops } from './drops.js';
export { Loop } from './loop.js';
export { Metrics } from './metrics.js';
export { inRequestSpan } from './telemetry.js';
export { CONFIG, LOGGER, NATS } from './tokens.js';
