import { v5 } from 'uuid';

/** The namespace of drifts' ids (RFC 9562). */
const DRIFTS = '3f0b0a3e-0d53-4c1c-9f7a-5b1de9c0a6f4';

/** The id of a device's drift: of its own, since ids of events are made of the entity's id and version, and always the same. */
export const driftIdOf = (deviceId: string): string => v5(deviceId, DRIFTS);
