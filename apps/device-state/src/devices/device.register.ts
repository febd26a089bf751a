import { DomainError, type deviceState, type RpcRequest, type RpcResponse } from '@muster/contracts';

type Registration = RpcRequest<typeof deviceState.registerDevices>['devices'][number];
type Result = RpcResponse<typeof deviceState.registerDevices>['results'][number];

/** The registrations that are to be tried: of those with one name the first. */
export function firstOfEachName(registrations: readonly Registration[]): Registration[] {
  const byName = new Map<string, Registration>();
  for (const registration of registrations) {
    if (!byName.has(registration.device.name)) byName.set(registration.device.name, registration);
  }
  return [...byName.values()];
}

/**
 * What became of each registration, in the order of the request.
 * @param created ids of the rows that were really created.
 * @param idOfName the id that holds each name now.
 * @throws DomainError `conflict` when an id is taken by a device of another name.
 */
export function registrationResults(
  registrations: readonly Registration[],
  created: ReadonlySet<string>,
  idOfName: ReadonlyMap<string, string>,
): Result[] {
  const told = new Set<string>();
  return registrations.map(({ id, device: { name } }, index) => {
    const holder = idOfName.get(name);
    if (holder === undefined) throw new DomainError('conflict', `devices.${index}.id: ${id} is another device's`);
    const isNew = created.has(holder) && !told.has(name);
    told.add(name);
    return { id: holder, name, status: isNew ? 'created' : 'exists' };
  });
}
