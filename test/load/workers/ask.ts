import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';

/** Sends a worker a question and gives its answer. @throws its error, or when it does not answer within `timeout` ms. */
export async function ask<Answer>(worker: Worker, question: object, timeout: number): Promise<Answer> {
  worker.postMessage(question);
  const [answer] = (await once(worker, 'message', { signal: AbortSignal.timeout(timeout) })) as [Answer];
  return answer;
}
