import Type, { type Static, type TSchema } from 'typebox';

const DEFAULT_LIMIT = 20;

/** Parameters of a list that is paged by offset (interfaces §2, §3). */
export const offsetParameters = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: DEFAULT_LIMIT })),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000, default: 0 })),
};

/** A page of a list; `previous` and `next` are addresses, relative to the server, or null at an end. */
export const OffsetPage = <Item extends TSchema>(item: Item) =>
  Type.Object({
    count: Type.Integer({ description: 'of the whole list' }),
    previous: Type.Union([Type.String(), Type.Null()]),
    next: Type.Union([Type.String(), Type.Null()]),
    results: Type.Array(item),
  });

export type OffsetPage<Item extends TSchema> = Static<ReturnType<typeof OffsetPage<Item>>>;

/** Where a page begins and how long it may be. */
export const offsetOf = ({ limit = DEFAULT_LIMIT, offset = 0 }: { limit?: number; offset?: number }) => ({
  limit,
  offset,
});

/**
 * The page of `results` as its family shows it.
 * @param url the path and query that were asked for: the neighbours' addresses repeat them.
 */
export function offsetPage<Item>(
  url: string,
  { limit, offset }: { limit: number; offset: number },
  { count, results }: { count: number; results: Item[] },
) {
  const at = (place: number) => {
    const [path, query] = url.split('?', 2) as [string, string?];
    const parameters = new URLSearchParams(query);
    parameters.set('limit', String(limit));
    parameters.set('offset', String(place));
    return `${path}?${parameters.toString()}`;
  };
  return {
    count,
    previous: offset > 0 ? at(Math.max(0, offset - limit)) : null,
    // A page may be shorter than asked, where one answer carried no more.
    next: results.length > 0 && offset + results.length < count ? at(offset + results.length) : null,
    results,
  };
}
