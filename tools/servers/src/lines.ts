import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

const MAX_LINE = 64 * 1024;

/**
 * Calls `onLine` with each line of a text stream, without its end. What a line has beyond `maxLength` characters is cut off,
 * so that output without line ends cannot fill the memory.
 */
export function readLines(stream: Readable, onLine: (line: string) => void, maxLength = MAX_LINE): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const [first = '', ...more] = decoder.write(chunk).split('\n');
    rest = (rest + first).slice(0, maxLength);
    for (const next of more) {
      onLine(rest.endsWith('\r') ? rest.slice(0, -1) : rest);
      rest = next.slice(0, maxLength);
    }
  });
  stream.on('end', () => {
    if (rest) onLine(rest);
  });
}
