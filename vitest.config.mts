import { defaultServerConditions } from 'vite';
import { configDefaults, defineConfig } from 'vitest/config';

// Tests run on sources: a package's "exports" name them under this condition.
// Not 'module': packages keep their bundler builds under it, which Node cannot load.
const conditions = ['@muster/source', ...defaultServerConditions.filter((condition) => condition !== 'module')];
const exclude = [...configDefaults.exclude, '**/dist/**', '**/.muster/**', '**/.nx/**'];
// These replace a module, or look at which are loaded.
const alone = '{apps,libs,tools}/**/*.alone{,.int}.spec.ts';
const withServers = {
  globalSetup: ['libs/testing/src/global-setup.ts'],
  testTimeout: 30_000,
  hookTimeout: 60_000,
  sequence: { groupOrder: 1 },
};

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  // Said here once more because Vite reads a file's own tsconfig.json, and those exclude the specs.
  oxc: {
    decorator: { legacy: true, emitDecoratorMetadata: true },
    assumptions: { setPublicClassFields: true },
    typescript: { removeClassFieldsWithoutInitializer: true },
  },
  test: {
    environment: 'node',
    setupFiles: ['reflect-metadata', './libs/testing/src/patience.ts'],
    expect: { poll: { timeout: 15_000 } },
    reporters: ['default', './tools/checks/plain-reporter.ts'],
    // A test that passes on the second try has found something.
    retry: 0,
    restoreMocks: true,
    // Files that follow each other in a worker share what they import: to load it anew took longer than most tests.
    isolate: false,
    // Tests wait for servers more than they compute: of two cores two workers used three quarters.
    maxWorkers: 3,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{apps,libs,tools}/**/*.spec.ts', 'test/{load,chaos}/**/*.spec.ts'],
          exclude: [...exclude, '**/*.int.spec.ts', alone],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'int',
          include: ['{apps,libs,tools}/**/*.int.spec.ts', 'test/chaos/**/*.int.spec.ts'],
          exclude: [...exclude, alone],
          ...withServers,
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: [alone],
          exclude,
          isolate: true,
          ...withServers,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.spec.ts'],
          exclude,
          ...withServers,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Each file starts the whole stack.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
