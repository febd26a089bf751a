import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './command.ts';
import type { Step } from './step.ts';

/** A text file of the repository; `path` is relative to its root, with `/`. */
export interface SourceFile {
  path: string;
  text: string;
}

const NOT_OURS = new Set(['.git', 'node_modules', 'dist', 'coverage', '.muster', '.nx']);
const TEXT = /(?:^|[/.])(?:ts|mts|mjs|js|json|ya?ml|md|sql|sh|conf|html|css|toml|run|Dockerfile)$/;
const CODE = /^(?:apps|libs|tools|test)\/.*\.(?:ts|mts|mjs)$/;
const MAX_LINES = 400;

/** Every text file of the repository that is written by hand or committed. */
export async function* repositoryFiles(folder = ''): AsyncGenerator<SourceFile> {
  for (const entry of await readdir(join(ROOT, folder), { withFileTypes: true })) {
    if (NOT_OURS.has(entry.name)) continue;
    const path = folder ? `${folder}/${entry.name}` : entry.name;
    if (entry.isDirectory()) yield* repositoryFiles(path);
    else if (TEXT.test(path)) yield { path, text: await readFile(join(ROOT, path), 'utf8') };
  }
}

/** What must not stand in a line of any file. */
const forbidden: readonly { what: string; pattern: RegExp; where?: RegExp }[] = [
  { what: 'a path of one machine', pattern: /(?<![\w.:/$}-])\/(?:work|home|Users|root)\/\w/ },
  { what: 'a private key', pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----|\bS[AONU][A-Z2-7]{56}\b/ },
  { what: 'an access key', pattern: /\bAKIA[0-9A-Z]{16}\b|\bgh[opsu]_[A-Za-z0-9]{36}\b|\bnpm_[A-Za-z0-9]{36}\b/ },
  {
    what: 'a test that is left out, or leaves the others out',
    pattern: /\b(?:it|test|describe)(?:\.\w+)*\.(?:only|skip|skipIf|runIf|todo)\b/,
    where: /\.spec\.ts$/,
  },
  { what: 'a download address', pattern: /"resolved": "(?:git\+)?[a-z]+:\/\//, where: /^package-lock\.json$/ },
];

/** What is wrong with one file, each with its line. */
export function fileProblems({ path, text }: SourceFile): string[] {
  const problems: string[] = [];
  const lines = text.split('\n');
  if (CODE.test(path) && lines.length - 1 > MAX_LINES) {
    problems.push(`${path}: ${lines.length - 1} lines, more than ${MAX_LINES}: give a part of it a file of its own`);
  }
  for (const { what, pattern, where } of forbidden) {
    if (where && !where.test(path)) continue;
    lines.forEach((line, index) => {
      if (pattern.test(line)) problems.push(`${path}:${index + 1}: ${what}`);
    });
  }
  return problems;
}

export const files: Step = {
  name: 'files',
  run: async () => {
    const problems: string[] = [];
    for await (const file of repositoryFiles()) problems.push(...fileProblems(file));
    return problems;
  },
};
