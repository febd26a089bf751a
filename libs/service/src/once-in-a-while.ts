const EVERY_MS = 60_000;

/**
 * Passes a failure on when it is another one than before, and one that goes on (a stream that is full, a database that is away) once a
 * minute, with the number of times that it was kept back since.
 */
export function onceInAWhile(tell: (error: unknown, keptBack: number) => void): (error: unknown) => void {
  let last: { message: string; at: number } | undefined;
  let keptBack = 0;
  return (error) => {
    const message = error instanceof Error ? error.message : String(error);
    if (last?.message === message && Date.now() - last.at < EVERY_MS) {
      keptBack++;
      return;
    }
    tell(error, last?.message === message ? keptBack : 0);
    last = { message, at: Date.now() };
    keptBack = 0;
  };
}
