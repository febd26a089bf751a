import { describe, expect, it } from 'vitest';
import { HandlerOutput, MAX_EVIDENCE, TextTail } from './handler.output.js';

function read(...chunks: (string | Buffer)[]) {
  const progress: number[] = [];
  let reboots = 0;
  const output = new HandlerOutput({ progress: (percent) => progress.push(percent), reboot: () => void reboots++ });
  for (const chunk of chunks) output.push(Buffer.from(chunk));
  output.end();
  return { progress, reboots, code: output.code, evidence: output.evidence, dropped: output.evidenceDropped };
}

describe("given a handler's stdout", () => {
  it('when it has progress lines, then each moves the progress, up to 100', () => {
    expect(read('progress 5\nprog', 'ress 50.5\nprogress 900\nprogress x\nprogress -1\n').progress).toEqual([
      5, 50.5, 100,
    ]);
  });

  it('when it has several JSON lines, then the last object is the evidence, even without an end of line', () => {
    expect(read('{"a":1}\nhello\n{"a":2}\n{not json\n[3]\n').evidence).toEqual({ a: 2 });
    expect(read('{"a":1}\n{"a":3}').evidence).toEqual({ a: 3 });
  });

  it('when it names the code of its failure, then the last name holds, if it is one', () => {
    expect(read('code disk_full\ncode not a code\ncode 9\n').code).toBe('disk_full');
    expect(read('{"code":"x"}\nencode y\n').code).toBeUndefined();
  });

  it('when it says that the machine reboots, then that is heard, and nothing that merely looks like it', () => {
    expect(read('rebooting\n reboot\nreb', 'oot\n').reboots).toBe(1);
  });

  it('when a character is split over two chunks, then it is whole again', () => {
    const bytes = Buffer.from('{"city":"Zürich"}\n');
    const within = bytes.indexOf(0xbc);
    expect(read(bytes.subarray(0, within), bytes.subarray(within)).evidence).toEqual({ city: 'Zürich' });
  });

  it('when the last JSON line is too large, then there is no evidence, and that is known', () => {
    const large = JSON.stringify({ text: 'x'.repeat(MAX_EVIDENCE) });
    expect(read(`{"a":1}\n${large}\n`)).toMatchObject({ evidence: undefined, dropped: 'larger than 65536 bytes' });
    expect(read(`${large}\n{"a":1}\n`)).toMatchObject({ evidence: { a: 1 }, dropped: undefined });
  });

  it('when a line is long but no JSON, then it is passed over', () => {
    expect(read('{"a":1}\n', 'x'.repeat(3 * MAX_EVIDENCE), '\nprogress 7\n')).toMatchObject({
      evidence: { a: 1 },
      dropped: undefined,
      progress: [7],
    });
  });
});

describe("given a handler's stderr", () => {
  it('when it is long, then its last lines are kept, within the limit', () => {
    const tail = new TextTail(2, 10);
    for (let line = 0; line < 1000; line++) tail.push(Buffer.from(`line ${line}\n`));
    expect(tail.toString()).toBe('8\nline 999');
  });
});
