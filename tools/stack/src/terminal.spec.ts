import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Terminal } from './terminal.js';

const streamOf = (isTTY: boolean) => {
  const written: string[] = [];
  const stream = { isTTY, columns: 20, on: () => stream, write: (text: string) => written.push(text) };
  return { written, terminal: new Terminal(stream as unknown as NodeJS.WriteStream) };
};

describe('Terminal', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('given a terminal, then a line is redrawn in place, cut to its width, and stays below what is said', () => {
    const { written, terminal } = streamOf(true);

    terminal.draw('one');
    terminal.draw('x'.repeat(30));
    terminal.say('said');
    terminal.settle('done');

    expect(written.join('')).toBe(
      `\r\x1b[2Kone\r\x1b[2K${'x'.repeat(19)}\r\x1b[2Ksaid\n\r\x1b[2K${'x'.repeat(19)}\r\x1b[2Kdone\n`,
    );
  });

  it('given no terminal, then a line is printed when it changed, at most once a second, and the last one always', () => {
    const { written, terminal } = streamOf(false);

    terminal.draw('0');
    terminal.draw('1');
    vi.advanceTimersByTime(1_000);
    terminal.draw('2');
    vi.advanceTimersByTime(1_000);
    terminal.draw('2');
    terminal.say('said');
    terminal.settle('3');

    expect(written).toEqual(['0\n', '2\n', 'said\n', '3\n']);
  });
});
