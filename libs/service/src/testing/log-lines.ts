import { symbols, type Logger } from 'pino';
import { vi } from 'vitest';

/** Every line that a logger writes from now on, parsed; none reaches its output. */
export function logLines(logger: Logger): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  const sink = (logger as unknown as Record<symbol, { write(line: string): boolean }>)[symbols.streamSym]!;
  vi.spyOn(sink, 'write').mockImplementation((line) => {
    lines.push(JSON.parse(line) as Record<string, unknown>);
    return true;
  });
  return lines;
}
