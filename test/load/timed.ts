import type { BenchStack } from './bench.stack.ts';
import { drained } from './job.run.ts';
import { TerminalWatch, type Watched } from './terminal.watch.ts';

/**
 * Seconds from the moment at which `begin` is called, which gives the id of what it began, until the later of: its terminal event at a subscriber,
 * every journal row published. @throws when that takes longer than at 200 devices a second.
 */
export async function timed(bench: BenchStack, entity: Watched, begin: () => Promise<string>): Promise<number> {
  const limit = 60_000 + bench.devices * 5;
  const ends = await TerminalWatch.start(bench, entity);
  try {
    const began = performance.now();
    await ends.of(await begin(), limit);
    await drained(bench, limit);
    return (performance.now() - began) / 1000;
  } finally {
    ends.stop();
  }
}

/** Asks the gateway. @throws with its answer where that is no success. */
export async function asked<Body>(bench: BenchStack, path: string, body: object): Promise<Body> {
  const answer = await bench.stack.api<Body>('POST', path, body);
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}
