import { renamed, type DeviceQuery, type Rollout } from '@muster/contracts';

/**
 * Looks for the devices of each wave with a query, of which there need be none.
 * @param find looks for those of the rollout's devices that fit a query as well
 * @throws DomainError `invalid` naming the wave's query, where that names what is not there, or is too much together with what tells the devices
 */
export async function checkWaveQueries(
  { waves = [] }: Rollout,
  find: (query: DeviceQuery) => Promise<unknown>,
): Promise<void> {
  for (const [index, { query }] of waves.entries()) {
    if (!query) continue;
    const field = `rollout.waves.${index}.query`;
    try {
      await find(query);
    } catch (error) {
      // What tells the devices comes before it.
      throw renamed(renamed(error, 'query.and.1', field), 'query', field);
    }
  }
}
