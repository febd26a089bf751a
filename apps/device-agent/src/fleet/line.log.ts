import { createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { UsageError } from '../process/usage.js';

/** Appends NDJSON lines to a file, so that anybody can prove what devices did, and how often. */
export class LineLog<Line extends object> {
  private constructor(readonly stream: WriteStream) {}

  /**
   * @param option the option that named the file.
   * @throws UsageError when the file cannot be written.
   */
  static async open<Line extends object>(file: string, option: string): Promise<LineLog<Line>> {
    try {
      const handle = await open(file, 'a');
      return new LineLog<Line>(createWriteStream(file, { fd: handle }));
    } catch (error) {
      throw new UsageError(`${option}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  write(line: Line): void {
    this.stream.write(`${JSON.stringify(line)}\n`);
  }

  async close(): Promise<void> {
    this.stream.end();
    await finished(this.stream);
  }
}
