import { MAX_GROUP_DEPTH } from '@muster/contracts';
import { compileDeviceQuery } from '../devices/device.query.js';
import { refuseField } from '../devices/device.rules.js';
import { GroupTree, type GroupNode } from './group.tree.js';

/**
 * Whether a new or changed group may be as it is to be: its parent and the groups that its query names are there, none of them has it as a
 * member, it lies no deeper than {@link MAX_GROUP_DEPTH}, and its query says no more than a query may.
 * @param known what `group.id`, its parent and its query's groups reach, as it is now.
 * @param depth how many groups lie above it.
 * @throws DomainError `invalid` naming the field.
 */
export function checkGroup(group: GroupNode, known: GroupTree, depth: number): void {
  const { id, parent_id, query } = group;
  if (parent_id !== null && parent_id !== id && !known.has(parent_id))
    refuseField('parent_id', `no group ${parent_id}`);
  const after = known.with(group);
  const unknown = group.refers.find((ref) => !after.has(ref));
  if (unknown !== undefined) refuseField('query.group', `no group ${unknown}`);
  if (group.refers.some((ref) => after.membersOf(ref).has(id)))
    refuseField('query.group', 'the group would contain itself');
  if (parent_id !== null && after.membersOf(id).has(parent_id))
    refuseField('parent_id', `${parent_id} is the group itself, or one whose devices are in it`);
  if (depth + after.heightOf(id) > MAX_GROUP_DEPTH)
    refuseField('parent_id', `groups would lie more than ${MAX_GROUP_DEPTH} levels below one another`);
  // Written once, so that what is wrong with it is heard when it is saved and not when it is asked.
  if (query) compileDeviceQuery(query, 0, after);
}
