/**
 * One Ctrl-C may arrive several times at once: from the terminal, which tells the whole process group, and from npm and the launcher,
 * which pass it on. Only one that comes later is a second one.
 */
const SAME_MS = 1_000;

/** Exit code of a program that its user stopped: that of SIGINT, by the convention of shells. */
export const INTERRUPTED = 130;

/**
 * Calls `first` when the user wants to stop (Ctrl-C, SIGTERM, a closed terminal), and `second` when the user insists.
 */
export function onInterrupt(first: () => void, second: () => void): void {
  let at: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (at === undefined) {
        at = Date.now();
        first();
      } else if (Date.now() - at > SAME_MS) second();
    });
  }
}
