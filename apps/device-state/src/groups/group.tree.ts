import type { DeviceQuery } from '@muster/contracts';

/** A group as far as it matters for who its members are. `refers`: the groups that its query names. */
export interface GroupNode {
  id: string;
  parent_id: string | null;
  query: DeviceQuery | null;
  refers: readonly string[];
  /** How many devices are in its list. */
  device_count: number | null;
}

/** Groups by list, and how long their lists are together. */
export interface ListedGroups {
  ids: string[];
  members: number;
}

/** Some groups of a project, with all that are below them and all that their queries name. */
export class GroupTree {
  static readonly NONE = new GroupTree([]);

  private readonly nodes: ReadonlyMap<string, GroupNode>;
  private readonly children: ReadonlyMap<string | null, readonly GroupNode[]>;

  constructor(nodes: readonly GroupNode[]) {
    this.nodes = new Map(nodes.map((node) => [node.id, node]));
    this.children = Map.groupBy(nodes, (node) => node.parent_id);
  }

  /** The same with `group` put in, or in place of the one with its id. */
  with(group: GroupNode): GroupTree {
    return new GroupTree([...this.nodes.values()].filter(({ id }) => id !== group.id).concat(group));
  }

  has(id: string): boolean {
    return this.nodes.has(id);
  }

  /** The group and all below it; none if it is unknown. Each once, also where two moves at the same time made a circle. */
  within(id: string): GroupNode[] {
    return this.reach(id, (node) => this.childrenOf(node));
  }

  /** The lists that the group and all below it are made of; undefined if any of them is a query. */
  listsOf(id: string): ListedGroups | undefined {
    const within = this.within(id);
    if (within.some((node) => node.query)) return undefined;
    const members = within.reduce((sum, node) => sum + (node.device_count ?? 0), 0);
    return { ids: within.map((node) => node.id), members };
  }

  /** All groups whose members are members of the group: those below it, those that their queries name, and so on; itself included. */
  membersOf(id: string): Set<string> {
    const next = (node: GroupNode) => [...this.childrenOf(node), ...node.refers.flatMap((ref) => this.find(ref))];
    return new Set(this.reach(id, next).map((node) => node.id));
  }

  /** Levels from the group down to the lowest below it, itself included. */
  heightOf(id: string): number {
    let height = 0;
    const seen = new Set<string>();
    let level = this.find(id);
    while (level.length > 0) {
      height++;
      for (const node of level) seen.add(node.id);
      level = level.flatMap((node) => this.childrenOf(node)).filter((node) => !seen.has(node.id));
    }
    return height;
  }

  private reach(id: string, next: (node: GroupNode) => readonly GroupNode[]): GroupNode[] {
    const reached = new Set(this.find(id));
    // A set goes on with what is added to it while it is walked.
    for (const node of reached) for (const further of next(node)) reached.add(further);
    return [...reached];
  }

  private childrenOf(node: GroupNode): readonly GroupNode[] {
    return this.children.get(node.id) ?? [];
  }

  private find(id: string): GroupNode[] {
    const node = this.nodes.get(id);
    return node ? [node] : [];
  }
}

/** The groups that a query names, each once. */
export function groupsNamedBy(query: DeviceQuery): string[] {
  const named = new Set<string>();
  const walk = (part: DeviceQuery): void => {
    if (part.group !== undefined) named.add(part.group.toLowerCase());
    for (const inner of [...(part.and ?? []), ...(part.or ?? []), ...(part.not ? [part.not] : [])]) walk(inner);
  };
  walk(query);
  return [...named];
}
