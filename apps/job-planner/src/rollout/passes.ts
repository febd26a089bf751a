import type { DeviceQuery, Rollout } from '@muster/contracts';

/** The passes of planning: one for each wave with a query, by its index, and the last for the rest. */
export const passesOf = ({ waves = [] }: Rollout): (number | null)[] => [
  ...waves.flatMap((wave, index) => (wave.query ? [index] : [])),
  null,
];

/** Which devices the present pass is for; undefined: whatever is left. */
export function queryOfPass({ spec, pass }: { spec: Rollout; pass: number }): DeviceQuery | undefined {
  const wave = passesOf(spec)[pass] ?? null;
  return wave === null ? undefined : spec.waves![wave]!.query;
}
