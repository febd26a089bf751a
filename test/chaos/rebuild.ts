import { eventStream } from '@muster/contracts';
import type { Stack } from '../harness/stack.ts';
import { PUBLISHERS } from './evidence.ts';

/** Deletes every event stream, and has the product bring them back while it runs. @throws with what the command said when it failed. */
export async function loseAndRebuild(stack: Stack): Promise<void> {
  const manager = await (await stack.nats()).jetstreamManager();
  for (const service of PUBLISHERS) await manager.streams.delete(eventStream(service));
  const { code, stdout, stderr } = await stack.rebuild();
  if (code !== 0) throw new Error(`rebuild ended with ${code}:\n${stdout}${stderr}`);
}
