import type { Rollout } from '@muster/contracts';

/** The passes of planning: one for each wave with a query, by its index, and the last for the rest. */
export const passesOf = ({ waves = [] }: Rollout): (number | null)[] => [
  ...waves.flatMap((wave, index) => (wave.query ? [index] : [])),
  null,
];
