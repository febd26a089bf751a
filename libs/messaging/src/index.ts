export { RpcClient } from './rpc.client.js';
export { Rpc, Work, DeviceMessages, type ChannelMessage, type DeviceMessage } from './patterns.js';
export { NatsTransport } from './transport.js';
export { ensureStreams, streamsOf } from './streams.js';
export { incomingContext, inSpan, outgoingHeaders, producerHeaders, traceContext } from './headers.js';
export type { Lag } from './pull.consumer.js';
export { republish } from './republish.js';
export { backOff } from './back-off.js';
export type { DropReason, ParkedMessage, TransportHost, Watch } from './host.js';
