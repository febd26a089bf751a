import { readdirSync } from 'node:fs';
import { createProjectGraphAsync } from '@nx/devkit';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

// The boundary rule reads the graph from a cache and lets everything pass when there is none, as in a fresh clone.
await createProjectGraphAsync({ exitOnError: true });

/** What a package of each type may import; a package's type stands in its package.json under `nx.tags`. */
const imports = {
  'type:app': ['type:contracts', 'type:lifecycle', 'type:infra'],
  'type:contracts': [],
  'type:lifecycle': [],
  'type:infra': ['type:contracts', 'type:lifecycle', 'type:infra'],
  'type:testing': ['type:tool'],
  'type:tool': ['type:tool', 'type:infra', 'type:contracts'],
  'type:test': ['type:contracts', 'type:testing', 'type:tool', 'type:infra'],
};

/** Contracts are read by everyone, so they may not pull in a framework, a database or a bus. */
const bannedFor = { 'type:contracts': ['@nestjs/*', 'typeorm', 'pg', 'nats'] };

const boundaries = (alsoAllowed, options = {}) => [
  'error',
  {
    ...options,
    // One import() makes a package lazy to this rule, and forbids every other import of it: a thought for bundles, of which there are none.
    checkDynamicDependenciesExceptions: ['.*'],
    depConstraints: Object.entries(imports).map(([sourceTag, allowed]) => ({
      sourceTag,
      onlyDependOnLibsWithTags: [...allowed, ...alsoAllowed],
      ...(bannedFor[sourceTag] && { bannedExternalImports: bannedFor[sourceTag] }),
    })),
  },
];

const apps = readdirSync(new URL('apps', import.meta.url));

/** A service reads and writes its own schema only; what another one knows is asked for over rpc. */
const noForeignSchema = (app) => {
  const foreign = apps.filter((other) => other !== app).map((other) => other.replaceAll('-', '_'));
  const table = `/(?:\\b(?:from|join|into|update|table|references|only)|,)\\s+"?(?:${foreign.join('|')})"?\\s*\\./i`;
  const message = "SQL names another service's schema: ask that service over rpc instead";
  return {
    files: [`apps/${app}/src/**/*.ts`],
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: `Literal[value=${table}]`, message },
        { selector: `TemplateElement[value.raw=${table}]`, message },
      ],
    },
  };
};

export default defineConfig(
  { ignores: ['**/dist/', '**/node_modules/', '.muster/', '.nx/', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.spec.json', tsconfigRootDir: import.meta.dirname } },
    plugins: { '@nx': nx },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      '@nx/enforce-module-boundaries': boundaries([], { banTransitiveDependencies: true }),
      // An app exports nothing, so to the boundary rule its name is that of an unknown package, which specs may import.
      'no-restricted-imports': [
        'error',
        { paths: apps.map((app) => ({ name: `@muster/${app}`, message: 'apps share contracts, not code' })) },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // TypeORM and Nest take classes as plain functions.
      '@typescript-eslint/no-unsafe-function-type': 'off',
      // A method whose interface answers with a promise is async whether or not it waits for something.
      '@typescript-eslint/require-await': 'off',
    },
  },
  { files: ['apps/**/*.ts', 'libs/**/*.ts'], rules: { 'no-console': 'error' } },
  // A program that one starts by hand speaks to its terminal.
  { files: ['apps/device-agent/src/*.main.ts'], rules: { 'no-console': 'off' } },
  ...apps.map(noForeignSchema),
  // Specs, and what helps them: neither is part of a package's build.
  {
    files: ['**/*.spec.ts', '{apps,libs,tools}/*/{test,src/testing}/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaries(['type:testing']),
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['tools/{checks,generators}/**/*.ts', 'test/{harness,load,chaos}/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'TSParameterProperty, TSEnumDeclaration',
          message: 'Node runs this file unbuilt and only strips types',
        },
      ],
    },
  },
  { files: ['**/*.mjs'], ...tseslint.configs.disableTypeChecked },
  prettier,
);
