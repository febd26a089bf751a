import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerReader, type Piece } from './answers.ts';

const message = (type: string, body: string | Buffer) => {
  const bytes = Buffer.from(body);
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([header, bytes]);
};
const complete = (tag: string) => message('C', `${tag}\0`);
const ready = (status: string) => message('Z', status);
const row = (size: number) => message('D', Buffer.alloc(size, 'C'));

function read(bytes: Buffer, cuts: readonly number[] = []): Piece[] {
  const reader = new AnswerReader();
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return ends.flatMap((end, index) => [...reader.read(bytes.subarray(ends[index - 1] ?? 0, end))]);
}
const told = (pieces: Piece[]) => pieces.flatMap(({ tells }) => tells ?? []);

describe('the reader of server answers', () => {
  it('given any answer in any chunks, then what is passed on is what came, and what it tells is the same', () => {
    const parts = fc.constantFrom(complete('COMMIT'), complete('SELECT 2'), ready('I'), ready('T'), row(0), row(700));
    fc.assert(
      fc.property(fc.array(parts, { minLength: 1 }), fc.array(fc.nat()), (messages, cuts) => {
        const bytes = Buffer.concat(messages);
        const pieces = read(bytes, cuts);
        expect(Buffer.concat(pieces.map((piece) => piece.bytes)).equals(bytes)).toBe(true);
        expect(told(pieces)).toEqual(told(read(bytes)));
      }),
    );
  });

  it('given a transaction, then its COMMIT tells, and none of its statements', () => {
    const answers = [complete('START TRANSACTION'), ready('T'), row(3), complete('UPDATE 1'), ready('T')];
    expect(told(read(Buffer.concat(answers)))).toEqual(['ready', 'ready']);
    expect(told(read(Buffer.concat([...answers, complete('COMMIT'), ready('I')])))).toEqual([
      'ready',
      'ready',
      'committed',
      'ready',
    ]);
  });

  it('given a write of its own, then it tells; a read or a rolled back transaction does not', () => {
    expect(told(read(Buffer.concat([complete('INSERT 0 1'), ready('I')])))).toEqual(['committed', 'ready']);
    expect(told(read(Buffer.concat([complete('SELECT 1'), ready('I')])))).toEqual(['ready']);
    expect(told(read(Buffer.concat([ready('E'), complete('ROLLBACK'), ready('I')])))).toEqual(['ready', 'ready']);
  });
});
