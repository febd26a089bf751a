/**
 * `npm run check [-- <step>…]`: every gate, or the named ones. Each gives one line; what a failed one has to say stands under its line.
 * Exit code 1 when one fails, 2 when there is no such step.
 */
import { boundaries } from './boundaries.ts';
import { files } from './files.ts';
import { generated } from './generated.ts';
import { migrations } from './migrations.ts';
import { packages } from './packages.ts';
import { format, lint, types } from './sources.ts';
import { runSteps, type Verdict } from './step.ts';

// The longest first, so that two at a time end together.
const steps = [lint, types, migrations, boundaries, format, generated, files, packages];

const names = process.argv.slice(2);
const unknown = names.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(', ')}; there are ${steps.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort());

const tell = ({ name, seconds, problems }: Verdict) => {
  const passed = problems.length === 0;
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name.padEnd(12)}${seconds.toFixed(1).padStart(6)} s`);
  for (const problem of problems) console.log(problem.replaceAll(/^/gm, '     '));
};

const started = performance.now();
const chosen = names.length > 0 ? steps.filter(({ name }) => names.includes(name)) : steps;
const verdicts = await runSteps(chosen, tell, interrupted.signal);
const failed = verdicts.filter(({ problems }) => problems.length > 0);
const seconds = ((performance.now() - started) / 1000).toFixed(0);
if (interrupted.signal.aborted) {
  console.log('check: interrupted');
  process.exitCode = 130;
} else if (failed.length > 0) {
  console.log(`check: failed in ${seconds} s: ${failed.map(({ name }) => name).join(', ')}`);
  process.exitCode = 1;
} else {
  console.log(`check: passed in ${seconds} s`);
}
