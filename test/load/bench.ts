/**
 * `npm run bench`: measures the product on this machine, each figure beside one that another program reaches in the same run.
 * Exit code 0 when all was measured, met or not; 1 when a row could not be; 2 when the options cannot be used; 130 when it was stopped.
 */
import { INTERRUPTED, onInterrupt } from '@muster/servers';
import { open, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { BenchStack } from './bench.stack.ts';
import { budgetOf, budgetTable } from './budget.ts';
import { NotMeasured, type RowResult } from './figure.ts';
import { DEVICES, HELP, readOptions, ROWS, UsageError, type BenchOptions } from './options.ts';
import type { Row } from './rows/row.ts';
import { rows } from './rows/rows.ts';
import { resultTable } from './table.ts';
import { TimeBox } from './time.box.ts';

/** All rows together may take that long, in milliseconds: ten minutes with the start and the end, and in proportion for more devices. */
const mostMs = (devices: number) => 570_000 * Math.max(1, devices / DEVICES);

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error)) || 'no reason given';

async function measure(row: Row, bench: BenchStack, box: TimeBox): Promise<RowResult> {
  try {
    const { figures, notes = [], details } = await box.within(() => row.measure(bench));
    return { row: row.name, figures, notes, details };
  } catch (error) {
    if (error instanceof NotMeasured) return { row: row.name, unmeasured: error.message };
    return { row: row.name, failed: messageOf(error) };
  }
}

/** Measures the chosen rows, each whatever became of the others; those that the time is not enough for have failed. */
async function measureAll(chosen: readonly Row[], bench: BenchStack, box: TimeBox): Promise<RowResult[]> {
  const results: RowResult[] = [];
  const prepared: Row[] = [];
  for (const row of chosen) {
    try {
      await box.within(async () => row.prepare?.(bench));
      prepared.push(row);
    } catch (error) {
      results.push({ row: row.name, failed: messageOf(error) });
    }
  }
  for (const row of prepared) results.push(await measure(row, bench, box));
  return results.sort((a, b) => ROWS.indexOf(a.row) - ROWS.indexOf(b.row));
}

/** @returns the exit code. */
async function run(options: BenchOptions): Promise<number> {
  if (options.json !== undefined) await checkFile(options.json);
  const began = performance.now();
  const say = (line: string) => process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0)} s  ${line}\n`);
  const machine = {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? '',
    memory_bytes: totalmem(),
    node: process.version,
    load_before: loadavg(),
  };
  const interrupted = new AbortController();
  const box = new TimeBox(mostMs(options.devices), interrupted.signal);
  onInterrupt(
    () => {
      say('stopping … (Ctrl-C again ends everything at once)');
      interrupted.abort(new Error('interrupted'));
    },
    () => process.exit(INTERRUPTED),
  );
  const starting = BenchStack.start(options.devices, say);
  try {
    const bench = await box.within(() => starting);
    const results = await measureAll(
      rows.filter(({ name }) => options.only.includes(name)),
      bench,
      box,
    );
    interrupted.signal.throwIfAborted();
    const budgets = (await bench.finishedRuns()).map(budgetOf);
    process.stdout.write(`${resultTable(results)}\n`);
    if (budgets.length > 0) process.stdout.write(`\n${budgetTable(budgets)}\n`);
    if (options.json !== undefined) {
      const seconds = (performance.now() - began) / 1000;
      const document = { devices: options.devices, machine, seconds, rows: results, budgets };
      await writeFile(options.json, `${JSON.stringify(document, null, 2)}\n`);
    }
    return results.some((result) => 'failed' in result) ? 1 : 0;
  } catch (error) {
    if (interrupted.signal.aborted) return INTERRUPTED;
    throw error;
  } finally {
    await starting.then(
      (bench) => bench.stop(),
      () => undefined,
    );
  }
}

/** Nobody should wait for minutes to learn that the file cannot be written. @throws UsageError. */
async function checkFile(path: string): Promise<void> {
  try {
    await (await open(path, 'a')).close();
  } catch (error) {
    throw new UsageError(`--json: ${messageOf(error)}`);
  }
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else process.exitCode = await run(options);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
// What was given up goes on asking.
process.exit();
