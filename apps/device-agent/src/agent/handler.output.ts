import { isStorable, nestsTooDeep, NOT_STORABLE, type JsonObject } from '@muster/contracts';
import { StringDecoder } from 'node:string_decoder';

/** The largest evidence, and so the longest line of a handler's stdout that is looked at, in bytes. */
export const MAX_EVIDENCE = 64 * 1024;

const PROGRESS = /^progress (\d{1,3}(?:\.\d+)?)\s*$/;
const CODE = /^code ([A-Za-z][A-Za-z0-9_]{0,63})\s*$/;
const REBOOT = /^reboot\s*$/;

/** Told of what a handler says while it runs. */
export interface HandlerLines {
  progress(percent: number): void;
  /** The machine is about to boot anew, and that boot is the command's result. */
  reboot(): void;
}

/**
 * Reads a handler's stdout: the lines `progress N`, `reboot` and `code WORD` (the code of its failure), and the last
 * line that is a JSON object. Holds one line at most.
 */
export class HandlerOutput {
  #decoder = new StringDecoder('utf8');
  #line = '';
  #tooLong = false;
  #evidence: JsonObject | undefined;
  #evidenceDropped: string | undefined;
  #code: string | undefined;

  constructor(readonly lines: HandlerLines) {}

  /** What its failure is called, if it said so. */
  get code(): string | undefined {
    return this.#code;
  }

  get evidence(): JsonObject | undefined {
    return this.#evidence;
  }

  /** Why there is no evidence although there was a JSON line: a server would refuse all that is said with it. */
  get evidenceDropped(): string | undefined {
    return this.#evidenceDropped;
  }

  push(chunk: Buffer): void {
    const [head = '', ...rest] = this.#decoder.write(chunk).split('\n');
    this.#extend(head);
    for (const next of rest) {
      this.#take();
      this.#extend(next);
    }
  }

  /** The handler has closed its stdout; its last line needs no end. */
  end(): void {
    this.#extend(this.#decoder.end());
    this.#take();
  }

  #extend(text: string): void {
    if (this.#tooLong) return;
    this.#line += text;
    if (Buffer.byteLength(this.#line) <= MAX_EVIDENCE) return;
    this.#tooLong = true;
    this.#line = this.#line.slice(0, 1);
  }

  #take(): void {
    const line = this.#line;
    const tooLong = this.#tooLong;
    this.#line = '';
    this.#tooLong = false;
    const progress = PROGRESS.exec(line);
    if (progress) return this.lines.progress(Math.min(100, Number(progress[1])));
    if (REBOOT.test(line)) return this.lines.reboot();
    this.#code = CODE.exec(line)?.[1] ?? this.#code;
    if (!line.startsWith('{')) return;
    const evidence = tooLong ? undefined : parseObject(line);
    if (!evidence && !tooLong) return;
    this.#evidenceDropped = evidence ? faultOf(evidence) : `larger than ${MAX_EVIDENCE} bytes`;
    this.#evidence = this.#evidenceDropped === undefined ? evidence : undefined;
  }
}

/** The last of what a handler wrote to stderr: at most `maxLines` lines and `maxChars` characters. */
export class TextTail {
  #text = '';

  constructor(
    readonly maxLines: number,
    readonly maxChars: number,
  ) {}

  push(chunk: Buffer): void {
    // Bytes that are not UTF-8 become U+FFFD, and NUL cannot be kept as text by the server's database.
    this.#text = (this.#text + chunk.toString('utf8').replaceAll('\0', '')).slice(-2 * this.maxChars);
  }

  toString(): string {
    const tail = this.#text.trim().split('\n').slice(-this.maxLines).join('\n');
    // A cut may have split a pair of surrogates.
    return Buffer.from(tail.slice(-this.maxChars)).toString('utf8');
  }
}

const faultOf = (evidence: JsonObject): string | undefined =>
  nestsTooDeep(evidence) || !isStorable(evidence) ? NOT_STORABLE : undefined;

function parseObject(line: string): JsonObject | undefined {
  try {
    return JSON.parse(line) as JsonObject;
  } catch {
    return undefined;
  }
}
