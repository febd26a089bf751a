import {
  DEPLOYMENT_COMMANDS,
  deviceWork,
  validate,
  Uuid,
  type JsonObject,
  type StatusMessage,
} from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import type { Ended } from './command.end.js';
import { RequestFacts } from './request.facts.js';

/** A command that succeeded, with its own arguments. */
export type Succeeded = Ended & { args: Record<string, unknown> };

type DeploymentCommand = (typeof DEPLOYMENT_COMMANDS)[number];

/** What a deployment is called in the evidence; the rest of it may be large, and is kept with the command. */
const namesIn = (evidence: JsonObject | null | undefined): JsonObject | null => {
  if (evidence?.['name'] === undefined && evidence?.['version'] === undefined) return null;
  return { name: evidence['name'], version: evidence['version'] };
};

const isDeployment = (command: string): command is DeploymentCommand =>
  (DEPLOYMENT_COMMANDS as readonly string[]).includes(command);

/** Tells device-state what came to stand on devices, and what was taken away from them. */
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
        return { deployment_id, device_id, command_id: id, args, evidence: namesIn(evidence.get(id)) };
      });
      const head = { command: request.command, args: request.args };
      tx.work(deviceWork.deployed, head, items, commands[0]!.traceparent ?? undefined);
    }
  }
}
