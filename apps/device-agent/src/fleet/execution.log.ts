import { createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { UsageError } from '../process/usage.js';

/** One execution of a command by a device. `at`: ISO 8601. */
export interface ExecutionLine {
  device_id: string;
  command_id: string;
  fence: number;
  at: string;
}

/** Appends one NDJSON line per execution to a file, so that anybody can prove what was executed, and how often. */
export class ExecutionLog {
  private constructor(readonly stream: WriteStream) {}

  /** @throws UsageError when the file cannot be written. */
  static async open(file: string): Promise<ExecutionLog> {
    try {
      const handle = await open(file, 'a');
      return new ExecutionLog(createWriteStream(file, { fd: handle }));
    } catch (error) {
      throw new UsageError(`--executions: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  write(line: ExecutionLine): void {
    this.stream.write(`${JSON.stringify(line)}\n`);
  }

  async close(): Promise<void> {
    this.stream.end();
    await finished(this.stream);
  }
}
