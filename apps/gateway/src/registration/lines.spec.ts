import { describe, expect, it } from 'vitest';
import { MAX_LINE, readLines, type Line } from './lines.js';

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const read = async (bytes: Buffer | string, size = 1 << 16): Promise<Line[]> => {
  const lines: Line[] = [];
  for await (const some of readLines(inChunks(Buffer.from(bytes), size))) lines.push(...some);
  return lines;
};

describe('given a stream of bytes', () => {
  it.each([1, 2, 3, 7, 1000])(
    'when chunks of %i bytes cut through lines and characters, then lines come whole',
    async (size) => {
      expect(await read('eins\nzwölf\r\n€uro\n', size)).toEqual([
        { number: 1, text: 'eins' },
        { number: 2, text: 'zwölf' },
        { number: 3, text: '€uro' },
      ]);
    },
  );

  it('when lines are blank, then they are counted only', async () => {
    expect(await read('\n \n\r\na\n\n')).toEqual([{ number: 4, text: 'a' }]);
  });

  it('when the last line has no end, then it is a line', async () => {
    expect(await read('a\nb')).toEqual([
      { number: 1, text: 'a' },
      { number: 2, text: 'b' },
    ]);
  });

  it('when a line is as long as allowed, then it is read, and one byte more is a problem of that line alone', async () => {
    const fits = 'x'.repeat(MAX_LINE);
    expect(await read(`${fits}\n${fits}y\nnext`, 1000)).toEqual([
      { number: 1, text: fits },
      { number: 2, problem: 'longer than 65536 bytes' },
      { number: 3, text: 'next' },
    ]);
  });

  it('when a line is not UTF-8, then that is its problem', async () => {
    expect(await read(Buffer.from([0x61, 0x0a, 0xff, 0xfe, 0x0a, 0x62]))).toEqual([
      { number: 1, text: 'a' },
      { number: 2, problem: 'not UTF-8' },
      { number: 3, text: 'b' },
    ]);
  });
});
