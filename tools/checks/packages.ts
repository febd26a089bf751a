import { repositoryFiles } from './files.ts';
import type { Step } from './step.ts';

/** The parts of a package.json that name versions. */
export interface Manifest {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  overrides?: Record<string, string>;
}

const EXACT = /^\d+\.\d+\.\d+(?:-[\w.-]+)?$/;
const OURS = '@muster/';

const versionsOf = (manifest: Manifest): [string, string][] =>
  [
    manifest.dependencies,
    manifest.devDependencies,
    manifest.optionalDependencies,
    manifest.peerDependencies,
    manifest.overrides,
  ].flatMap((group) => Object.entries(group ?? {}));

/** Versions that are not exact, and dependencies that two packages want in two versions. `manifests`: path to content. */
export function packageProblems(manifests: ReadonlyMap<string, Manifest>): string[] {
  const problems: string[] = [];
  const wanted = new Map<string, Map<string, string>>();
  for (const [path, manifest] of manifests) {
    for (const [name, version] of versionsOf(manifest)) {
      if (name.startsWith(OURS)) continue;
      if (!EXACT.test(version)) problems.push(`${path}: ${name} is ${version}, not an exact version`);
      const versions = wanted.get(name) ?? new Map<string, string>();
      wanted.set(name, versions.set(version, path));
    }
  }
  for (const [name, versions] of wanted) {
    if (versions.size < 2) continue;
    const uses = [...versions].map(([version, path]) => `${version} in ${path}`);
    problems.push(`${name} has several versions: ${uses.join(', ')}`);
  }
  return problems;
}

export const packages: Step = {
  name: 'packages',
  run: async () => {
    const manifests = new Map<string, Manifest>();
    for await (const { path, text } of repositoryFiles()) {
      if (/(?:^|\/)package\.json$/.test(path)) manifests.set(path, JSON.parse(text) as Manifest);
    }
    return packageProblems(manifests);
  },
};
