import { describe, expect, it } from 'vitest';
import { lastWords } from './last-words.js';

describe('lastWords', () => {
  it('given log lines, then the last error speaks, not what was logged after it', () => {
    const lines = [
      '{"level":"error","msg":"first"}',
      '{"level":"fatal","msg":"could not start","err":{"message":"no such table"}}',
      '{"level":"info","msg":"stopping"}',
    ];

    expect(lastWords(lines)).toBe('could not start: no such table');
  });

  it('given text, then the last line that is not empty', () => {
    expect(lastWords(['one', 'two\tthree', ' '])).toBe('two three');
  });

  it('given a very long line, then its beginning', () => {
    expect(lastWords(['x'.repeat(10_000)])).toHaveLength(302);
  });

  it('given nothing, then it says so', () => {
    expect(lastWords([])).toBe('none');
  });
});
