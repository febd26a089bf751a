import type { CommandMessage, JsonObject, Report, StatusMessage } from '@muster/contracts';
import { createHash } from 'node:crypto';
import type { Execution } from './device.memory.js';

/** What a simulated device says at the end of a command; the same each time it is asked. */
export interface Answer {
  report?: Report;
  status: StatusMessage;
}

/** The answer to `message` of a device whose execution of it has ended. `at`: epoch milliseconds. */
export function answerTo(message: CommandMessage, { state, code }: Execution, at: number): Answer {
  const { command_id, fence, args, command } = message;
  if (state === 'failed') return { status: failure(message, code ?? 'simulated') };
  const sha256 = createHash('sha256').update(JSON.stringify(args)).digest('hex');
  const deployment = command === 'deployment_deploy' ? deploymentOf(args) : undefined;
  const evidence = deployment === undefined ? { sha256 } : { deployment_id: deployment, sha256 };
  const status: StatusMessage = { command_id, fence, status: 'success', evidence };
  if (deployment === undefined) return { status };
  const running = { state: 'running', at: new Date(at).toISOString() };
  return { report: { reported: { deployments: { [deployment]: running } } }, status };
}

/** The failure of a command, by its code. */
export const failure = (
  { command_id, fence }: Pick<CommandMessage, 'command_id' | 'fence'>,
  code: NonNullable<Execution['code']>,
): StatusMessage => ({ command_id, fence, status: 'failure', code, reason: `${code} by the simulated fleet` });

/** What a deployment is known by: its id, else its name. */
function deploymentOf({ deployment_id, name }: JsonObject): string | undefined {
  return [deployment_id, name].find((key): key is string => typeof key === 'string' && key !== '');
}
