import { availableParallelism } from 'node:os';

/** One gate. `run` answers what is wrong, one entry each; nothing when all is well. It stops early when the signal says so. */
export interface Step {
  name: string;
  run(signal: AbortSignal): Promise<string[]>;
}

/** What a gate came to. */
export interface Verdict {
  name: string;
  seconds: number;
  problems: string[];
}

/** The gate's verdict: a gate that itself breaks has not passed. */
async function judge(step: Step, signal: AbortSignal): Promise<Verdict> {
  const started = performance.now();
  const problems = await step
    .run(signal)
    .catch((error: unknown) => [error instanceof Error ? (error.stack ?? error.message) : String(error)]);
  return { name: step.name, seconds: (performance.now() - started) / 1000, problems };
}

/**
 * Runs every step, failed ones before it or not, a few at a time in the given order.
 * @param tell gets each verdict as soon as it is there.
 * @returns the verdicts in the order they came; steps that an abort kept from starting have none.
 */
export async function runSteps(
  steps: readonly Step[],
  tell: (verdict: Verdict) => void,
  signal: AbortSignal,
): Promise<Verdict[]> {
  const waiting = [...steps];
  const verdicts: Verdict[] = [];
  const worker = async () => {
    for (let step = waiting.shift(); step && !signal.aborted; step = waiting.shift()) {
      const verdict = await judge(step, signal);
      verdicts.push(verdict);
      tell(verdict);
    }
  };
  // Past two, the compilers among the steps only take each other's memory.
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  return verdicts;
}
