import { describe, expect, it } from 'vitest';
import { readOptions, UsageError } from './options.ts';

const read = (line: string) => readOptions(line.split(' ').filter(Boolean), () => 7);

describe('the options of the chaos run', () => {
  it('given none, then a seed is drawn and the defaults hold', () => {
    expect(read('')).toEqual({ help: false, seed: 7, minutes: 2, devices: 2_000 });
  });

  it('given all, then each is taken', () => {
    expect(read('--seed 0 --minutes 0.5 --devices 50 --help')).toEqual({
      help: true,
      seed: 0,
      minutes: 0.5,
      devices: 50,
    });
  });

  it.each([
    ['--seed -1', /--seed/],
    ['--seed x', /^--seed must be a whole number from 0 to 2147483647, not "x"$/],
    ['--seed 2147483648', /--seed/],
    ['--minutes 0', /^--minutes must be a number from 0\.1 to 1440, not "0"$/],
    ['--minutes 1e3', /--minutes/],
    ['--devices 19', /^--devices must be a whole number from 20/],
    ['--devices 1.5', /--devices/],
    ['--speed 9', /--speed/],
    ['9', /'9'/],
  ])('given %s, then one line names what is wrong', (line, message) => {
    expect(() => read(line)).toThrow(UsageError);
    expect(() => read(line)).toThrow(message);
    expect(() => read(line)).toThrow(/^[^\n]+$/);
  });
});
