import { runScript } from './command.ts';
import type { Step } from './step.ts';

/** Prettier has nothing to change in `folder`. */
export const formatProblems = (folder?: string, signal?: AbortSignal): Promise<string[]> =>
  runScript('prettier/bin/prettier.cjs', ['--check', '--log-level', 'warn', '.'], signal, folder);

export const format: Step = { name: 'format', run: (signal) => formatProblems(undefined, signal) };

export const lint: Step = {
  name: 'lint',
  run: (signal) => runScript('eslint/bin/eslint.js', ['.', '--max-warnings', '0'], signal),
};

/** What is shipped is checked by its own project; specs and the rest are in no project of a package and have one together. */
export const types: Step = {
  name: 'types',
  run: async (signal) => [
    ...(await runScript('typescript/bin/tsc', ['-b'], signal)),
    ...(await runScript('typescript/bin/tsc', ['-p', 'tsconfig.spec.json'], signal)),
  ],
};
