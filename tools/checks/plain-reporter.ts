import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/**
 * Closes a run of Vitest with one plain line, `N passed, N failed, N skipped`, that a log reader needs no knowledge of Vitest for.
 * A file that does not load and an error outside any test count as failed: they must not hide behind tests that pass.
 */
export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      count.failed += module.errors().length;
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length;
      for (const test of module.children.allTests()) count[test.result().state] += 1;
    }
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped`);
  }
}
