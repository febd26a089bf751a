import { isMet, type Figure, type RowResult, type Target } from './figure.ts';

const NUMBERS = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 });

/** A number with as many digits as mean something: four. */
export const number = (value: number) =>
  Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en') : NUMBERS.format(value);

const HEAD = ['row', 'value', 'reference', 'ratio', 'target', 'met'];

/** The results as a table for people, a line each; below it the notes of the rows and why some have no figures. */
export function resultTable(results: readonly RowResult[]): string {
  const lines = results.flatMap((result) => {
    if ('failed' in result) return [[result.row, 'failed']];
    if ('unmeasured' in result) return [[result.row, 'not measured here']];
    return result.figures.map((figure) => figureLine(result.row, figure));
  });
  const below = results.flatMap((result) => {
    if ('failed' in result) return [`${result.row} failed: ${result.failed}`];
    if ('unmeasured' in result) return [`${result.row}: not measured here: ${result.unmeasured}`];
    return result.notes.map((note) => `${result.row}: ${note}`);
  });
  return [...columns([HEAD, ...lines]), '', ...below].join('\n').trimEnd();
}

function figureLine(row: string, figure: Figure): string[] {
  const { part, value, unit, reference, ratio, target } = figure;
  const met = isMet(figure);
  return [
    part === undefined ? row : `${row} ${part}`,
    `${number(value)} ${unit}`,
    reference ? `${number(reference.value)} ${reference.unit} (${reference.what})` : '',
    ratio === undefined ? '' : ratio.toFixed(ratio < 0.1 ? 3 : 2),
    target ? targetText(target) : 'reported',
    met === undefined ? '' : met ? 'yes' : 'no',
  ];
}

function targetText(target: Target): string {
  if ('atMost' in target) return `≤ ${target.atMost}`;
  return `≥ ${target.atLeast}${target.later === undefined ? '' : `, then ${target.later}`}`;
}

/** Lines whose cells stand below each other. */
export function columns(lines: readonly (readonly string[])[]): string[] {
  const width = (index: number) => Math.max(...lines.map((line) => (line[index] ?? '').length));
  return lines.map((line) =>
    line
      .map((cell, index) => cell.padEnd(width(index)))
      .join('  ')
      .trimEnd(),
  );
}
