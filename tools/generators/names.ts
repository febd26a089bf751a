/** A name in the spellings that code needs. */
export interface Name {
  /** `route-set`: folders, subjects. */
  kebab: string;
  /** `RouteSet`: classes. */
  pascal: string;
  /** `routeSet`: values. */
  camel: string;
  /** `route_set`: tables, schemas. */
  snake: string;
}

/** @throws Error when `text` is not lower-case words with single hyphens between them. */
export function nameOf(text: string): Name {
  if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(text) || text.length > 40) {
    throw new Error(`${JSON.stringify(text)} is no name: lower-case words with hyphens, at most 40 characters`);
  }
  const pascal = text.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
  return {
    kebab: text,
    pascal,
    camel: pascal.charAt(0).toLowerCase() + pascal.slice(1),
    snake: text.replaceAll('-', '_'),
  };
}
