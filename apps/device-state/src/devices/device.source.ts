import type { DeviceQuery } from '@muster/contracts';
import type { GroupTree, ListedGroups } from '../groups/group.tree.js';

/** The most members of several lists that a page may sort; of more, each is found soon among all devices. */
const MAX_SORTED = 10_000;

/**
 * What a page of a query's devices is read from: the lists of a group where every device that is meant is in one of them and that costs less,
 * else all devices of the project, `$1`. One list is in the order of the ids and read as far as the page goes; several are read whole. Rows of
 * it are `t`, a device once for each list that it is in.
 * @param last the parameter with the id to go on after, if any.
 */
export function deviceSource(
  query: DeviceQuery,
  groups: GroupTree,
  last: string | undefined,
  bind: (value: unknown) => string,
): string {
  const lists = narrowestLists(query, groups);
  if (!lists) return 'device t';
  const [one, ...others] = lists.ids;
  const which = others.length > 0 ? `ANY(${bind(lists.ids)}::uuid[])` : `${bind(one)}::uuid`;
  const after = last ? ` AND m.device_id > ${last}` : '';
  return `group_member m JOIN device t ON m.project_id = $1 AND m.group_id = ${which}${after} AND t.project_id = m.project_id AND t.id = m.device_id`;
}

function narrowestLists(query: DeviceQuery, groups: GroupTree): ListedGroups | undefined {
  const candidates = requiredGroups(query).flatMap((id) => groups.listsOf(id) ?? []);
  return candidates
    .filter(({ ids, members }) => ids.length === 1 || (ids.length > 1 && members <= MAX_SORTED))
    .sort((a, b) => a.members - b.members)[0];
}

/** The groups that every device of the query is in. */
const requiredGroups = (query: DeviceQuery): string[] => [
  ...(query.group === undefined ? [] : [query.group.toLowerCase()]),
  ...(query.and ?? []).flatMap(requiredGroups),
];
