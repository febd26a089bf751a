import { context, isSpanContextValid, trace } from '@opentelemetry/api';
import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import { loggedError } from './logged-error.js';

/** JSON lines on stdout, each with the trace it belongs to; an error goes under `err` ({@link loggedError}). Objects under these names never show their value. */
export function createLogger(service: string, level: string): Logger {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: ['*.token', '*.password', '*.authorization', '*.creds', '*.databaseUrl'], censor: '[hidden]' },
    serializers: { err: loggedError },
    mixin() {
      const span = trace.getSpanContext(context.active());
      return span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : {};
    },
  });
}

/** Nest's own messages on the same lines. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log = (message: unknown, ...rest: unknown[]) => this.logger.debug({ context: rest.at(-1) }, String(message));
  debug = this.log;
  verbose = this.log;
  warn = (message: unknown, ...rest: unknown[]) => this.logger.warn({ context: rest.at(-1) }, String(message));
  error = (message: unknown, ...rest: unknown[]) => {
    if (message instanceof Error) this.logger.error({ context: rest.at(-1), err: message }, 'unexpected error');
    else this.logger.error({ context: rest.at(-1), detail: rest.slice(0, -1) }, String(message));
  };
  fatal = this.error;
}

export type { Logger };
