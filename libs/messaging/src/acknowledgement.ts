/**
 * Whether a message is an acknowledgement of the bus. Whoever publishes into a stream names the subject of the acknowledgement, and the bus does
 * not ask whether it is its own: a device could have one sent to another's channel, or to a service as work.
 */
export const isAcknowledgement = (payload: unknown): boolean =>
  typeof payload === 'object' && payload !== null && 'stream' in payload && ('seq' in payload || 'error' in payload);
