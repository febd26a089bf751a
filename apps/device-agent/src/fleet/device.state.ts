import type { CommandMessage } from '@muster/contracts';
import { bootOf } from './answer.js';
import { deploymentOf, nodeVersionOf, upgradeVersionOf } from './command.args.js';

/** As many as a device remembers of its deployments; of the others it knows nothing any more. */
const DEPLOYMENTS = 8;

/** What it was before that a command has changed, for the evidence; or why it cannot be changed. */
export interface Change {
  before?: string | undefined;
  code?: 'unknown_deployment';
}

/** What commands have made of one simulated device; a device that was told nothing has none. */
export class DeviceState {
  /** Of its present boot, once it has rebooted. */
  bootId: string | undefined;
  #version: string | undefined;
  #deployments: { id: string; version: string }[] | undefined;

  /** Carries out a command that changes what later commands build on. */
  apply(message: CommandMessage): Change {
    const { command, command_id, args } = message;
    if (command === 'node_upgrade') {
      const before = this.#version;
      this.#version = nodeVersionOf(args);
      return { before };
    }
    if (command === 'REBOOT') {
      const before = this.bootId;
      this.bootId = bootOf(command_id);
      return { before };
    }
    if (command === 'deployment_deploy') return this.#deploy(message);
    if (command === 'deployment_remove') return this.#remove(message);
    return this.#upgrade(message);
  }

  #deploy(message: CommandMessage): Change {
    const { id, version } = deploymentOf(message);
    const others = (this.#deployments ?? []).filter((one) => one.id !== id);
    this.#deployments = [...others, { id, version }].slice(-DEPLOYMENTS);
    return {};
  }

  #upgrade(message: CommandMessage): Change {
    const { id } = deploymentOf(message);
    const deployment = this.#deployments?.find((one) => one.id === id);
    if (!deployment) return { code: 'unknown_deployment' };
    const before = deployment.version;
    deployment.version = upgradeVersionOf(message.args);
    return { before };
  }

  /** What is not there has been removed. */
  #remove(message: CommandMessage): Change {
    const { id } = deploymentOf(message);
    const before = this.#deployments?.find((one) => one.id === id)?.version;
    this.#deployments = this.#deployments?.filter((one) => one.id !== id);
    return { before };
  }
}

/** The commands that change what {@link DeviceState} keeps, whatever their arguments. */
const CHANGING = ['deployment_deploy', 'deployment_upgrade', 'deployment_remove', 'REBOOT'];

/** Whether a command changes what {@link DeviceState} keeps; a CONVERGE proves itself by its report alone. */
export function changesState({ command, args }: Pick<CommandMessage, 'command' | 'args'>): boolean {
  if (command === 'node_upgrade') return nodeVersionOf(args) !== undefined;
  return CHANGING.includes(command);
}
