import { mergePatch, type JsonObject } from '@muster/contracts';
import { existsSync, readFileSync } from 'node:fs';
import { writeDurably } from './durable-file.js';
import { reasonOf, type Log } from './log.js';

/** All that a device has reported, merged into one document that outlives the agent. */
export class ReportedState {
  #document: JsonObject = {};

  constructor(
    readonly file: string,
    readonly log: Log,
  ) {
    if (!existsSync(file)) return;
    try {
      this.#document = JSON.parse(readFileSync(file, 'utf8')) as JsonObject;
    } catch (error) {
      log('error', 'reported state forgotten: unreadable', { reason: reasonOf(error) });
    }
  }

  get document(): JsonObject {
    return this.#document;
  }

  /** Merges a report (RFC 7396); on disk when it returns. */
  apply(patch: JsonObject): void {
    this.#document = mergePatch(this.#document, patch);
    try {
      writeDurably(this.file, JSON.stringify(this.#document));
    } catch (error) {
      // The report itself still goes out; only a server that loses it would not learn it again after a restart.
      this.log('error', 'reported state not kept', { reason: reasonOf(error) });
    }
  }
}
