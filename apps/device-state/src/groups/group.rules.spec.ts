import { DomainError } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkGroup } from './group.rules.js';
import { GroupTree, groupsNamedBy, type GroupNode } from './group.tree.js';

const list = (id: string, parent_id: string | null = null): GroupNode => ({
  id,
  parent_id,
  query: null,
  refers: [],
  device_count: 0,
});
const naming = (id: string, group: string, parent_id: string | null = null): GroupNode => ({
  id,
  parent_id,
  query: { group },
  refers: [group],
  device_count: null,
});

const refusalOf = (group: GroupNode, known: GroupNode[], depth = 0): string | undefined => {
  try {
    checkGroup(group, new GroupTree(known), depth);
    return undefined;
  } catch (error) {
    return (error as DomainError).message;
  }
};

describe('checkGroup', () => {
  it('given a parent and a named group that are there, then it may be', () => {
    expect(refusalOf(naming('c', 'b', 'a'), [list('a'), list('b')])).toBeUndefined();
  });

  it('given a parent or a named group that is not there, then it is refused', () => {
    expect(refusalOf(list('c', 'x'), [])).toBe('parent_id: no group x');
    expect(refusalOf(naming('c', 'x'), [])).toBe('query.group: no group x');
  });

  it('given a group that would lie below itself, then it is refused', () => {
    expect(refusalOf(list('a', 'a'), [list('a')])).toMatch(/^parent_id: a is the group itself/);
    expect(refusalOf(list('a', 'c'), [list('a'), list('b', 'a'), list('c', 'b')])).toMatch(/^parent_id: c is/);
  });

  it('given a query that names the group itself, one above it, or one that names it, then it is refused', () => {
    const message = 'query.group: the group would contain itself';
    expect(refusalOf(naming('a', 'a'), [])).toBe(message);
    expect(refusalOf(naming('b', 'a', 'a'), [list('a')])).toBe(message);
    expect(refusalOf(naming('a', 'b'), [list('a'), naming('b', 'c'), naming('c', 'a')])).toBe(message);
  });

  it('given a parent whose devices are in a group that the query names, then it is refused', () => {
    expect(refusalOf(naming('b', 'c'), [naming('b', 'c'), list('c'), list('p', 'c')])).toBeUndefined();
    expect(refusalOf(naming('b', 'c', 'p'), [naming('b', 'c'), list('c'), list('p', 'c')])).toBe(
      'query.group: the group would contain itself',
    );
  });

  it('given levels up to the limit, then they may be; one more, above or below, then it is refused', () => {
    const chain = Array.from({ length: 15 }, (_, n) => list(`${n + 1}`, `${n}`));
    expect(refusalOf(list('0'), chain, 0)).toBeUndefined();
    expect(refusalOf(list('0', 'p'), [...chain, list('p')], 1)).toBe(
      'parent_id: groups would lie more than 16 levels below one another',
    );
  });

  it('given any changes that were let through one after the other, then no group is a member of itself', () => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const change = fc.record({
      id: fc.constantFrom(...ids),
      parent_id: fc.option(fc.constantFrom(...ids)),
      ref: fc.option(fc.constantFrom(...ids)),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        let nodes = ids.map((id) => list(id));
        for (const { id, parent_id, ref } of changes) {
          const group = ref === null ? list(id, parent_id) : naming(id, ref, parent_id);
          if (refusalOf(group, nodes) === undefined) nodes = [...nodes.filter((node) => node.id !== id), group];
        }
        const tree = new GroupTree(nodes);
        for (const node of nodes) {
          const direct = [...node.refers, ...nodes.filter((one) => one.parent_id === node.id).map((one) => one.id)];
          for (const member of direct) expect(tree.membersOf(member).has(node.id)).toBe(false);
        }
      }),
    );
  });
});

describe('groupsNamedBy', () => {
  it('given groups at any depth, then it finds each once, however it is spelled', () => {
    expect(groupsNamedBy({ group: 'A', and: [{ or: [{ group: 'b' }, { not: { group: 'a' } }] }] })).toEqual(['a', 'b']);
  });
});
