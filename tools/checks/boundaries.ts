import { ESLint, type Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { ROOT } from './command.ts';
import type { Step } from './step.ts';

const IMPORTS = '@nx/enforce-module-boundaries';
const APPS = 'no-restricted-imports';
const SQL = 'no-restricted-syntax';

/** Code that must not pass, with the rule that has to say so. Without a rule: code that must pass. */
const plants: readonly { what: string; file: string; code: string; rule?: string }[] = [
  {
    what: 'an app that imports an app',
    file: 'apps/gateway/src/planted.ts',
    code: `import '@muster/job-planner';`,
    rule: IMPORTS,
  },
  {
    what: 'an app that reaches into the folder of another',
    file: 'apps/gateway/src/planted.ts',
    code: `import '../../job-planner/src/schema.js';`,
    rule: IMPORTS,
  },
  {
    what: 'an app that imports what is for tests',
    file: 'apps/gateway/src/planted.ts',
    code: `import '@muster/testing';`,
    rule: IMPORTS,
  },
  {
    what: 'a spec that imports an app',
    file: 'test/e2e/planted.spec.ts',
    code: `import '@muster/job-planner';`,
    rule: APPS,
  },
  {
    what: 'contracts that import infrastructure',
    file: 'libs/contracts/src/planted.ts',
    code: `import '@muster/journal';`,
    rule: IMPORTS,
  },
  {
    what: 'contracts that import a bus client',
    file: 'libs/contracts/src/planted.ts',
    code: `import 'nats';`,
    rule: IMPORTS,
  },
  {
    what: "SQL that reads another service's schema",
    file: 'apps/gateway/src/planted.ts',
    code: 'export const sql = `SELECT id\nFROM job_planner.job`;',
    rule: SQL,
  },
  {
    what: 'a spec that imports what is for tests',
    file: 'apps/gateway/src/planted.spec.ts',
    code: `import '@muster/testing';`,
  },
  {
    what: 'an app that imports contracts and reads its own schema',
    file: 'apps/gateway/src/planted.ts',
    code: `import '@muster/contracts';\nexport const sql = 'SELECT id FROM gateway.token';`,
  },
];

/**
 * Lints code that is planted under the name of a file that does not exist, with the repository's own configuration. So nothing has to
 * be removed, whatever ends the check; only rules that need types are left out, for no program holds such a file.
 * @returns the plants that lint judged wrongly.
 */
export async function boundaryProblems(overrides: Linter.Config = {}): Promise<string[]> {
  const eslint = new ESLint({
    cwd: ROOT,
    overrideConfig: [tseslint.configs.disableTypeChecked, overrides],
  });
  const problems: string[] = [];
  for (const { what, file, code, rule } of plants) {
    const [result] = await eslint.lintText(code, { filePath: file });
    const found = (result?.messages ?? []).map(({ ruleId, message }) => ruleId ?? message);
    if (rule && !found.includes(rule)) problems.push(`lint lets ${what} pass: ${rule} is silent`);
    if (!rule && found.length > 0) problems.push(`lint refuses ${what}: ${found.join(', ')}`);
  }
  return problems;
}

export const boundaries: Step = { name: 'boundaries', run: () => boundaryProblems() };
