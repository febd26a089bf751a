/** A record of a CSV file: its fields, and the number of the line that it begins on, counted from 1. */
export interface CsvRecord {
  line: number;
  fields: string[];
}

/**
 * Splits CSV text (RFC 4180: fields may be quoted, quotes in them are doubled; LF or CRLF). Empty lines are left out.
 * @throws Error naming the line on which a quoted field begins that never ends.
 */
export function parseCsv(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let line = 1;
  let at = text.startsWith('\ufeff') ? 1 : 0;
  while (at < text.length) {
    const record: CsvRecord = { line, fields: [] };
    for (;;) {
      let field = '';
      if (text[at] === '"') {
        const begun = line;
        for (at++; ; at++) {
          if (at >= text.length) throw new Error(`line ${begun}: a quoted field does not end`);
          if (text[at] === '"') {
            if (text[at + 1] !== '"') break;
            at++;
          }
          if (text[at] === '\n') line++;
          field += text[at];
        }
        at++;
      }
      const end = text.slice(at).search(/[,\n]/);
      const stop = end < 0 ? text.length : at + end;
      field += text.slice(at, stop);
      record.fields.push(field.trim());
      at = stop + 1;
      if (text[stop] !== ',') break;
    }
    line++;
    if (record.fields.some((field) => field !== '')) records.push(record);
  }
  return records;
}
