const MAX_LENGTH = 300;

interface LogLine {
  level?: string;
  msg?: string;
  err?: { message?: string };
}

const parse = (line: string): LogLine | undefined => {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
};

const text = (line: string) => {
  const { msg, err } = parse(line) ?? {};
  return [msg, err?.message].filter(Boolean).join(': ') || line;
};

/** What a process said last, as one short line: the message of its last fatal or error log line, or else its last line. */
export function lastWords(lines: readonly string[]): string {
  const said = lines.filter((line) => line.trim() !== '');
  const worst = said.findLast((line) => ['fatal', 'error'].includes(parse(line)?.level ?? ''));
  const last = worst ?? said.at(-1);
  if (last === undefined) return 'none';
  const line = text(last).replaceAll(/\s+/g, ' ');
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)} …` : line;
}
