/** Longest line that is read, in bytes. */
export const MAX_LINE = 64 * 1024;

/** A line that is not blank. `number` counts from 1, blank lines too; `text` or what is wrong with it. */
export type Line = { number: number } & ({ text: string } | { problem: string });

const NEWLINE = 0x0a;

/** Cuts a stream of bytes into lines, as many at a time as a chunk brings. No more than one line is held, however long it is. */
export async function* readLines(source: AsyncIterable<Buffer>): AsyncGenerator<Line[], void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let pieces: Buffer[] = [];
  let size = 0;
  let number = 0;

  const take = (piece: Buffer) => {
    size += piece.length;
    if (size > MAX_LINE) pieces = [];
    else pieces.push(piece);
  };
  const cut = (): Line[] => {
    const bytes = Buffer.concat(pieces);
    const tooLong = size > MAX_LINE;
    pieces = [];
    size = 0;
    number++;
    if (tooLong) return [{ number, problem: `longer than ${MAX_LINE} bytes` }];
    try {
      const text = decoder.decode(bytes).trim();
      return text === '' ? [] : [{ number, text }];
    } catch {
      return [{ number, problem: 'not UTF-8' }];
    }
  };

  for await (const chunk of source) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, end));
      lines.push(...cut());
      start = end + 1;
    }
    take(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (size > 0) {
    const last = cut();
    if (last.length > 0) yield last;
  }
}
