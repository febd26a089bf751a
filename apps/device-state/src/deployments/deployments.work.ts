import { deviceWork } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { deploymentIdOn, learn, toldOf, type DeployedBatch, type Learnt, type Told } from './deployment.learn.js';
import { DeploymentStore } from './deployment.store.js';

/**
 * Learns from commands that succeeded what stands on devices. A command that is part of a deployment already changes nothing. An upgrade of a
 * deployment that was never heard of makes it known as upgraded, for it must have been deployed; a remove of one makes nothing.
 */
@Controller()
export class DeploymentsWork {
  constructor(
    private readonly journal: Journal,
    private readonly store: DeploymentStore,
  ) {}

  // One batch at a time, in the order of the ends of their commands: they take turns anyway.
  @Work(deviceWork.deployed, { concurrency: 1 })
  async onDeployed({ project_id, head, items }: DeployedBatch): Promise<void> {
    await this.journal.transaction(project_id, async (tx) => {
      await this.store.lockIds(tx);
      if (head.command === 'deployment_remove') return this.store.remove(tx, await this.placed(tx, items.map(toldOf)));
      const learnt = items.map((item) => learn(head, item));
      await this.deploy(tx, learnt, head.command === 'deployment_deploy' ? 'DEPLOYED' : 'UPGRADED');
    });
  }

  private async deploy(tx: Tx, learnt: readonly Learnt[], to: 'DEPLOYED' | 'UPGRADED'): Promise<void> {
    const firsts = [...new Map(learnt.toReversed().map((one) => [one.id, one])).values()];
    const made = await this.store.create(tx, firsts, to);
    const isMade = new Set(firsts.filter(({ id }) => made.has(id)));
    const others = learnt.filter((one) => !isMade.has(one));
    if (others.length === 0) return;
    for (const round of rounds(await this.placed(tx, others))) {
      const created = await this.store.create(tx, round, to);
      const known = round.filter(({ id }) => !created.has(id));
      await this.store.change(tx, known, to);
    }
  }

  /** The same with the ids that the deployments have on their devices. */
  private async placed<T extends Told>(tx: Tx, told: readonly T[]): Promise<T[]> {
    const holders = await this.store.holders(
      tx,
      told.map(({ id }) => id),
    );
    return told.map((one) => ({ ...one, id: deploymentIdOn(one.device_id, one.id, holders.get(one.id)) }));
  }
}

/** The commands of one deployment come one after the other, for a statement moves each row once. */
function rounds(learnt: readonly Learnt[]): Learnt[][] {
  const all: Learnt[][] = [];
  for (const ofOne of Map.groupBy(learnt, ({ id }) => id).values())
    for (const [place, one] of ofOne.entries()) (all[place] ??= []).push(one);
  return all;
}
