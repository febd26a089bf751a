import { isObject, type CommandMessage, type JsonObject } from '@muster/contracts';

/** The version of a node or a deployment that nobody has said anything else of. */
export const FIRST_VERSION = '1.0.0';

const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {});

const firstText = (...values: unknown[]): string | undefined =>
  values.find((value): value is string => typeof value === 'string' && value !== '');

/** The difference that a CONVERGE is to apply. */
export const desiredOf = ({ desired }: JsonObject): JsonObject => objectOf(desired);

/** The version that a node_upgrade asks for, as an argument or in the document that a batch job gives; perhaps none. */
export const nodeVersionOf = ({ version, upgrade }: JsonObject): string | undefined =>
  firstText(version, objectOf(upgrade)['version']);

/** The version that a deployment_upgrade asks for. */
export const upgradeVersionOf = (args: JsonObject): string => nodeVersionOf(args) ?? FIRST_VERSION;

/** The version that a command brings the node or a deployment to, if it is one that does. */
export function versionOf(message: Pick<CommandMessage, 'command' | 'command_id' | 'args'>): string | undefined {
  switch (message.command) {
    case 'node_upgrade':
      return nodeVersionOf(message.args);
    case 'deployment_deploy':
      return deploymentOf(message).version;
    case 'deployment_upgrade':
      return upgradeVersionOf(message.args);
    default:
      return undefined;
  }
}

/** What a deployment command speaks of; without an id of its own a deployment is known by the command that makes it. */
export function deploymentOf({ command_id, args }: Pick<CommandMessage, 'command_id' | 'args'>): {
  id: string;
  name: string;
  version: string;
} {
  const document = objectOf(args['deployment']);
  const id = firstText(args['deployment_id']) ?? command_id;
  return {
    id,
    name: firstText(args['name'], document['name'], args['job_name']) ?? id,
    version: firstText(args['version'], document['version']) ?? FIRST_VERSION,
  };
}
