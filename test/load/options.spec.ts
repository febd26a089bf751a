import { describe, expect, it } from 'vitest';
import { readOptions, ROWS } from './options.ts';

describe('the options of the bench', () => {
  it('given none, then every row is measured, over 20,000 devices', () => {
    expect(readOptions([])).toEqual({ help: false, json: undefined, only: ROWS, devices: 20_000 });
  });

  it('given rows by repetition and by list, then those are measured, once, in the order of the table', () => {
    const { only } = readOptions(['--only', 'idle,job.e2e', '--only', 'job.memory', '--only', 'idle']);
    expect(only).toEqual(['job.e2e', 'job.memory', 'idle']);
  });

  it('given a file and a number of devices, then they are taken', () => {
    expect(readOptions(['--json', 'out.json', '--devices', '500'])).toMatchObject({ json: 'out.json', devices: 500 });
  });

  it.each([
    [['--only', 'job.speed'], /^--only: there is no row "job\.speed"; there are job\.e2e, /],
    [['--only', ''], /^--only: there is no row ""/],
    [['--devices', '99'], '--devices: must be a whole number from 100 to 200000, not "99"'],
    [['--devices', '1e4'], '--devices: must be a whole number from 100 to 200000, not "1e4"'],
    [['--devices', '200001'], '--devices: must be a whole number from 100 to 200000, not "200001"'],
    [['--json='], '--json: must be the name of a file'],
    [['--fast'], /^Unknown option '--fast'; --help lists the options$/],
    [['job.e2e'], /^Unexpected argument 'job\.e2e'.*; --help lists the options$/],
    [['--devices'], /^Option '--devices <value>' argument missing; --help lists the options$/],
  ])('given %j, then one line says what is wrong', (args, line) => {
    expect(() => readOptions(args)).toThrow(line);
  });
});
