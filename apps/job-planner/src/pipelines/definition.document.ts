/** The fields of a document that its schema names, out of its row; times are ISO 8601. */
export function documentOf<Document extends object>(
  schema: { properties: Record<keyof Document, unknown> },
  row: object,
): Document {
  const values = row as Record<string, unknown>;
  const fields = Object.keys(schema.properties).map((name) => [name, textOf(values[name])]);
  return Object.fromEntries(fields) as Document;
}

const textOf = (value: unknown) => (value instanceof Date ? value.toISOString() : value);
