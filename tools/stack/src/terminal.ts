/** Not a terminal: a changing line is printed at most this often. */
const PRINT_EVERY_MS = 1_000;

/** What the user reads. */
export class Terminal {
  private drawn = '';
  private printedAt = 0;

  constructor(private readonly stream: NodeJS.WriteStream) {
    // A terminal that was closed must not keep the stack from stopping what it started.
    stream.on('error', () => undefined);
  }

  /** Prints a line; a line that is being redrawn stays below it. */
  readonly say = (line = ''): void => {
    if (!this.stream.isTTY) {
      this.stream.write(`${line}\n`);
      return;
    }
    const below = this.drawn;
    this.clear();
    this.stream.write(`${line}\n`);
    if (below) this.draw(below);
  };

  /** Shows a line in place of the one drawn before; where that cannot be, prints it when it has changed. */
  draw(line: string): void {
    if (!this.stream.isTTY) {
      const now = Date.now();
      if (line === this.drawn || now - this.printedAt < PRINT_EVERY_MS) return;
      this.printedAt = now;
      this.drawn = line;
      this.stream.write(`${line}\n`);
      return;
    }
    this.drawn = line;
    this.stream.write(`\r\x1b[2K${line.slice(0, (this.stream.columns || 80) - 1)}`);
  }

  /** Prints the line that was drawn last for good. */
  settle(line: string): void {
    if (this.stream.isTTY || line !== this.drawn) {
      this.clear();
      this.stream.write(`${line}\n`);
    }
    this.drawn = '';
    this.printedAt = 0;
  }

  private clear(): void {
    if (this.stream.isTTY && this.drawn) this.stream.write('\r\x1b[2K');
    this.drawn = '';
  }
}
