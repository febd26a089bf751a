import { DeviceGroup, Uuid } from '@muster/contracts';
import Type, { type Static } from 'typebox';
import { keysetParameters, Next } from './fleet.dto.js';

/** What asks for the groups at the top. */
export const NO_PARENT = 'null';

export const ListGroups = Type.Object(
  {
    ...keysetParameters,
    parent_id: Type.Optional(
      Type.Union([Uuid, Type.Literal(NO_PARENT)], { description: 'those directly below it; `null`: those at the top' }),
    ),
    name_prefix: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  },
  { additionalProperties: false },
);
export type ListGroups = Static<typeof ListGroups>;

export const GroupPage = Type.Object({ groups: Type.Array(DeviceGroup), next: Next });

const { device_count } = DeviceGroup.properties;

export const AddedDevices = Type.Object({
  added: Type.Integer({ description: 'how many were not in it yet' }),
  device_count,
});

export const RemovedDevices = Type.Object({
  removed: Type.Integer({ description: 'how many were in it' }),
  device_count,
});
