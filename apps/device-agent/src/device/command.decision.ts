/**
 * What a device knows of a command it has seen. `interrupted`: begun, but whatever ran it died before the end,
 * so nobody knows how far it came.
 */
export interface KnownCommand {
  fence: number;
  state: 'running' | 'interrupted' | 'failed' | 'succeeded';
}

/**
 * What to do about a command message:
 * `run` it; `join` the run that is under way; `answer` with the end it came to;
 * say that it was `interrupted`; or leave the `stale` message alone.
 */
export type CommandDecision = 'run' | 'join' | 'answer' | 'interrupted' | 'stale';

/**
 * Decides what a device does about a command message (interfaces §8: a command seen twice is answered again and not
 * run twice; `fence` grows with each attempt). A new attempt of a command that has succeeded is never run, and one of
 * a command that still runs joins that run: running it beside itself could only do harm.
 */
export function decideCommand(known: KnownCommand | undefined, fence: number): CommandDecision {
  if (!known) return 'run';
  if (fence < known.fence) return 'stale';
  if (known.state === 'succeeded') return 'answer';
  if (known.state === 'running') return 'join';
  if (fence > known.fence) return 'run';
  return known.state === 'failed' ? 'answer' : 'interrupted';
}
