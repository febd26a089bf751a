import { DEPLOYMENT_COMMANDS, deviceWork, validate, Uuid, type StatusMessage } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import type { Ended } from './command.end.js';
import { RequestFacts } from './request.facts.js';

/** A command that succeeded, with its own arguments. */
export type Succeeded = Ended & { args: Record<string, unknown> };

type DeploymentCommand = (typeof DEPLOYMENT_COMMANDS)[number];

const isDeployment = (command: string): command is DeploymentCommand =>
  (DEPLOYMENT_COMMANDS as readonly string[]).includes(command);

/** Tells device-state what came to stand on devices. */
@Injectable()
export class CommandDeployed {
  constructor(private readonly facts: RequestFacts) {}

  /** @param succeeded commands that the transaction brought to SUCCESS, by these words of their devices */
  async tell(tx: Tx, succeeded: readonly Succeeded[], statuses: readonly StatusMessage[]): Promise<void> {
    const facts = await this.facts.of(
      tx,
      succeeded.map((command) => command.request_id),
    );
    const evidence = new Map(statuses.map((status) => [status.command_id, status.evidence ?? null]));
    for (const [request_id, commands] of Map.groupBy(succeeded, (command) => command.request_id)) {
      const request = facts.get(request_id);
      if (!request || !isDeployment(request.command)) continue;
      const items = commands.map(({ id, device_id, args }) => {
        const named = { ...request.args, ...args }['deployment_id'];
        const deployment_id = validate(Uuid, named).length === 0 ? (named as string) : id;
        return { deployment_id, device_id, command_id: id, args, evidence: evidence.get(id) ?? null };
      });
      const head = { command: request.command, args: request.args };
      tx.work(deviceWork.deployed, head, items, commands[0]!.traceparent ?? undefined);
    }
  }
}
