export { RpcClient } from './rpc.client.js';
export { fitting, pageOf } from './fitting.js';
export { JsonText } from './json.text.js';
export { Rpc, Work, DeviceMessages, type ChannelMessage, type DeviceMessage } from './patterns.js';
export { NatsTransport } from './transport.js';
export { DEFAULT_EVENT_LIMITS, ensureStreams, streamsOf, type EventLimits, type StreamSpec } from './streams.js';
export {
  incomingContext,
  inSpan,
  outgoingHeaders,
  producerHeaders,
  recordMessageSpans,
  traceContext,
} from './headers.js';
export { batches, type Linger } from './batches.js';
export { BoundedQueue, type QueueLimits } from './bounded.queue.js';
export type { Lag } from './pull.consumer.js';
export { reasonOf } from './reason.js';
export { republish } from './republish.js';
export { backOff, PASSING_TROUBLE_MS } from './back-off.js';
export type { DropReason, ParkedMessage, TransportHost, Watch } from './host.js';
