import { deviceSubject, type CancelMessage, type CommandMessage } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { producerHeaders } from '@muster/messaging';
import { NATS } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import type { NatsConnection } from 'nats';
import type { Sendable } from './command.store.js';
import { RequestFacts } from './request.facts.js';

/** Speaks to devices. What it sends may be lost: the sweep and the device's next hello send it again, with the same fence. */
@Injectable()
export class CommandSender {
  constructor(
    private readonly facts: RequestFacts,
    @Inject(NATS) private readonly connection: NatsConnection,
  ) {}

  /** Sends these commands once the transaction has committed; a send before it could tell of a state that never was. */
  async send(tx: Tx, commands: readonly Sendable[]): Promise<void> {
    if (commands.length === 0) return;
    const requests = await this.facts.of(
      tx,
      commands.map((command) => command.request_id),
    );
    tx.afterCommit(() => {
      for (const command of commands) {
        const { command: name, args } = requests.get(command.request_id)!;
        const message: CommandMessage = {
          command_id: command.id,
          command: name,
          args: { ...args, ...command.args },
          attempt: command.attempt,
          fence: command.fence,
          deadline: command.deadline.toISOString(),
        };
        const headers = producerHeaders('device command', command.traceparent);
        const subject = deviceSubject(tx.project, command.device_id, 'command');
        this.connection.publish(subject, JSON.stringify(message), headers && { headers });
      }
    });
  }

  /** Repeats what was last said of commands in flight: the command itself, or that it is to stop. A device that never had it must not start it then. */
  async sendAgain(tx: Tx, commands: readonly (Sendable & { cancel_requested: boolean })[]): Promise<void> {
    const [cancels, sends] = [
      commands.filter((command) => command.cancel_requested),
      commands.filter((command) => !command.cancel_requested),
    ];
    await this.send(tx, sends);
    this.sendCancel(tx, cancels);
  }

  /** Asks devices to stop these commands, once the transaction has committed. */
  sendCancel(
    tx: Tx,
    commands: readonly { id: string; device_id: string; fence: number; traceparent: string | null }[],
  ): void {
    tx.afterCommit(() => {
      for (const { id, device_id, fence, traceparent } of commands) {
        const message: CancelMessage = { command_id: id, fence };
        const headers = producerHeaders('device cancel', traceparent);
        const subject = deviceSubject(tx.project, device_id, 'cancel');
        this.connection.publish(subject, JSON.stringify(message), headers && { headers });
      }
    });
  }
}
