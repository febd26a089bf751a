import { describe, expect, it } from 'vitest';
import { divide } from './demo-fleet.js';

const nodes = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: String(index), node: { name: `node-${index}` } }));

describe('divide', () => {
  it('given a fleet, then three nodes spread over it are real and the rest is simulated', () => {
    const { real, simulated } = divide(nodes(321));

    expect(real.map(({ id }) => id)).toEqual(['0', '107', '214']);
    expect(simulated).toHaveLength(318);
  });

  it.each([
    [1, 1, 0],
    [2, 2, 0],
    [3, 3, 0],
    [4, 3, 1],
  ])('given %i nodes, then %i are real and %i simulated', (count, real, simulated) => {
    const divided = divide(nodes(count));

    expect(divided.real).toHaveLength(real);
    expect(divided.simulated).toHaveLength(simulated);
  });
});
