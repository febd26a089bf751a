/** Bytes of a server's answer, cut at the messages that matter. */
export interface Piece {
  bytes: Buffer;
  /** `committed`: these bytes tell that something has been made permanent. `ready`: they end the answer. */
  tells?: 'committed' | 'ready';
}

const HEADER = 5;
const COMMAND_COMPLETE = 'C'.charCodeAt(0);
const READY_FOR_QUERY = 'Z'.charCodeAt(0);
const IDLE = 'I'.charCodeAt(0);

/**
 * Reads what a Postgres server sends (frontend/backend protocol 3: a type byte, a length, a body), in whatever chunks it comes. Of each message
 * only those that tell a commit are looked into; the rest is passed on as it is.
 */
export class AnswerReader {
  private rest: Buffer = Buffer.alloc(0);
  /** Bytes of the present message that are still to come and to be passed on. */
  private open = 0;
  private inTransaction = false;

  *read(chunk: Buffer): Generator<Piece> {
    let bytes = this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : chunk;
    this.rest = Buffer.alloc(0);
    // Where the bytes end that can be passed on in one piece.
    let plain = Math.min(this.open, bytes.length);
    this.open -= plain;
    while (this.open === 0 && bytes.length - plain >= HEADER) {
      const type = bytes[plain]!;
      const length = 1 + bytes.readInt32BE(plain + 1);
      if (type !== COMMAND_COMPLETE && type !== READY_FOR_QUERY) {
        const here = Math.min(length, bytes.length - plain);
        plain += here;
        this.open = length - here;
        continue;
      }
      if (bytes.length - plain < length) break;
      if (plain > 0) yield { bytes: bytes.subarray(0, plain) };
      const message = bytes.subarray(plain, plain + length);
      bytes = bytes.subarray(plain + length);
      plain = 0;
      yield this.judge(type, message);
    }
    if (plain > 0) yield { bytes: bytes.subarray(0, plain) };
    this.rest = Buffer.from(bytes.subarray(plain));
  }

  private judge(type: number, message: Buffer): Piece {
    if (type === READY_FOR_QUERY) {
      this.inTransaction = message[HEADER] !== IDLE;
      return { bytes: message, tells: 'ready' };
    }
    const tag = message.toString('latin1', HEADER, message.length - 1);
    return commits(tag, this.inTransaction) ? { bytes: message, tells: 'committed' } : { bytes: message };
  }
}

/** Whether the completion of a command, by its tag, tells that something is permanent. */
const commits = (tag: string, inTransaction: boolean) =>
  tag === 'COMMIT' || (!inTransaction && /^(INSERT|UPDATE|DELETE|MERGE) /.test(tag));
