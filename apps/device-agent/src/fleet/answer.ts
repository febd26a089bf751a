import type { CommandMessage, JsonObject, Report, StatusMessage } from '@muster/contracts';
import { createHash } from 'node:crypto';
import { deploymentOf, desiredOf, FIRST_VERSION, nodeVersionOf, upgradeVersionOf } from './command.args.js';
import type { Execution } from './device.memory.js';

/** What a simulated device says at the end of a command; the same each time it is asked. */
export interface Answer {
  report?: Report;
  status: StatusMessage;
}

/** What a successful command has changed, and how the device proves it. */
interface Outcome {
  reported?: JsonObject;
  evidence?: JsonObject;
}

/**
 * The answer to `message` of a device whose execution of it has ended. `at`: epoch milliseconds. A lie has its
 * evidence and no report; a release that broke has a report and no evidence.
 */
export function answerTo(message: CommandMessage, execution: Execution, at: number): Answer {
  const { command_id, fence, args } = message;
  const { reported, evidence } = outcomeOf(message, execution, at);
  const report = reported && execution.reports ? { report: { reported } } : {};
  if (execution.state === 'failed') return { ...report, status: failure(message, execution.code ?? 'simulated') };
  const proof = evidence ?? { sha256: createHash('sha256').update(JSON.stringify(args)).digest('hex') };
  const status: StatusMessage = { command_id, fence, status: 'success', evidence: proof };
  return { ...report, status };
}

function outcomeOf(message: CommandMessage, { before = '', reports }: Execution, at: number): Outcome {
  const { command, command_id, args } = message;
  const running = { state: 'running', at: new Date(at).toISOString() };
  switch (command) {
    case 'CONVERGE': {
      const desired = desiredOf(args);
      return Object.keys(desired).length > 0 ? { reported: desired } : {};
    }
    case 'deployment_deploy': {
      const { id, name, version } = deploymentOf(message);
      const sha256 = createHash('sha256').update(JSON.stringify(args)).digest('hex');
      return {
        reported: { deployments: { [id]: { name, version, ...running } } },
        evidence: { deployment_id: id, version, sha256 },
      };
    }
    case 'deployment_upgrade': {
      const { id } = deploymentOf(message);
      const after = upgradeVersionOf(args);
      return {
        reported: { deployments: { [id]: { version: after, ...running } } },
        evidence: { before: before || FIRST_VERSION, after, deployment_id: id },
      };
    }
    case 'deployment_remove': {
      const { id } = deploymentOf(message);
      return {
        reported: { deployments: { [id]: null } },
        evidence: { ...(before && { before }), deployment_id: id },
      };
    }
    case 'node_upgrade': {
      const after = nodeVersionOf(args);
      // An upgrade to no version in particular changes nothing.
      if (after === undefined) return {};
      return { reported: { version: after }, evidence: { before: before || FIRST_VERSION, after } };
    }
    case 'REBOOT':
      return { evidence: { before, after: reports ? bootOf(command_id) : before } };
    default:
      return {};
  }
}

/** The id of the boot that a reboot led to: that of the command, so that nobody has to remember it. */
export const bootOf = (rebootCommandId: string): string => rebootCommandId;

/** The failure of a command, by its code. */
export const failure = (
  { command_id, fence }: Pick<CommandMessage, 'command_id' | 'fence'>,
  code: NonNullable<Execution['code']>,
): StatusMessage => ({ command_id, fence, status: 'failure', code, reason: `${code} by the simulated fleet` });
