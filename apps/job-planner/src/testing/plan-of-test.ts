import type { RunningService } from '@muster/service/testing';

/** A step of a plan as Postgres tells it. */
interface PlanNode {
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

/** Carries a statement out, and tells which indexes it used and how many rows a step of it read at most. */
export async function planOf(
  service: RunningService,
  sql: string,
  parameters: unknown[],
): Promise<{ indexes: (string | undefined)[]; mostRead: number }> {
  const [explained] = await service.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`,
    parameters,
  );
  const nodes = nodesOf(explained!['QUERY PLAN'][0].Plan);
  return { indexes: nodes.map((node) => node['Index Name']), mostRead: Math.max(...nodes.map(rowsOf)) };
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];
const rowsOf = (node: PlanNode) => (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
