import type {
  ChannelName,
  DeviceChannel,
  RpcContract,
  RpcRequest,
  RpcResponse,
  WorkBatch,
  WorkContract,
} from '@muster/contracts';
import { deviceChannels } from '@muster/contracts';
import { applyDecorators, UseFilters } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import type { Static } from 'typebox';
import type { JsonText } from './json.text.js';
import { RethrowFilter } from './rethrow.filter.js';

/** What a handler is bound to; the transport finds it in Nest's `extras`. */
export type Binding =
  | { kind: 'rpc'; contract: RpcContract }
  | { kind: 'work'; contract: WorkContract; concurrency: number }
  | { kind: 'device'; channel: DeviceChannel; concurrency: number };

/**
 * A message that a device published, checked against its channel's schema. A message that comes again carries the same `at` and `sequence`.
 * @property at when the channel's stream took it, on core when it was read; epoch milliseconds.
 * @property sequence its place in the channel's stream (0 on core); begins anew with a stream that is made anew.
 */
export interface DeviceMessage<Payload = unknown> {
  project_id: string;
  device_id: string;
  payload: Payload;
  at: number;
  sequence: number;
}

/** What a handler of a channel is given. */
export type ChannelMessage<N extends ChannelName> = DeviceMessage<Static<(typeof deviceChannels)[N]['payload']>>;

type Method<Argument, Result> = (
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<(argument: Argument) => Promise<Result>>,
) => void;

const extras = (binding: Binding) => binding as unknown as Record<string, unknown>;

// On each handler: Nest binds the handlers of a hybrid application before it can be told of a filter for all of them.
const handler = (pattern: unknown) => applyDecorators(pattern as MethodDecorator, UseFilters(RethrowFilter));

type Answers<C extends RpcContract> = <Answer extends RpcResponse<C> | JsonText<RpcResponse<C>>>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<(request: RpcRequest<C>) => Promise<Answer>>,
) => void;

/**
 * Answers a question: the method takes the contract's request and gives its response, or the text of it; a thrown DomainError reaches the
 * asker.
 */
export const Rpc = <C extends RpcContract>(contract: C): Answers<C> =>
  handler(MessagePattern(contract.subject, extras({ kind: 'rpc', contract })));

/** Handles batches of work, `concurrency` of them at once; the batch is acknowledged when the method returns, and comes again if it throws. */
export const Work = <C extends WorkContract>(contract: C, { concurrency = 2 } = {}): Method<WorkBatch<C>, void> =>
  handler(EventPattern(contract.subject, extras({ kind: 'work', contract, concurrency })));

/**
 * Handles what devices publish on a channel, in batches of at most 500. With a `concurrency` of one, the messages of a device come in the
 * order of their arrival.
 */
export const DeviceMessages = <N extends ChannelName>(
  channel: N,
  { concurrency = 1 } = {},
): Method<ChannelMessage<N>[], void> =>
  handler(
    EventPattern(
      `muster.dev.*.*.${channel}`,
      extras({ kind: 'device', channel: deviceChannels[channel], concurrency }),
    ),
  );
