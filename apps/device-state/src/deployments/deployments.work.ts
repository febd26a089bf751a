import { deviceWork } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { deploymentIdOn, learn, type DeployedBatch, type Learnt } from './deployment.learn.js';
import { DeploymentStore } from './deployment.store.js';

/**
 * Learns from commands that succeeded what stands on devices. A command that is part of a deployment already changes nothing. An upgrade of a
 * deployment that was never heard of makes it known as upgraded, for it must have been deployed.
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
    const upgraded = head.command === 'deployment_upgrade';
    await this.journal.transaction(project_id, async (tx) => {
      await this.store.lockIds(tx);
      const learnt = items.map((item): Learnt => ({ id: item.deployment_id.toLowerCase(), ...learn(head, item) }));
      const firsts = [...new Map(learnt.toReversed().map((one) => [one.id, one])).values()];
      const made = await this.store.create(tx, firsts, upgraded);
      const isMade = new Set(firsts.filter(({ id }) => made.has(id)));
      const others = learnt.filter((one) => !isMade.has(one));
      if (others.length === 0) return;
      const holders = await this.store.holders(
        tx,
        others.map(({ id }) => id),
      );
      const placed = others.map((one) => ({ ...one, id: deploymentIdOn(one.device_id, one.id, holders.get(one.id)) }));
      for (const round of rounds(placed)) {
        const created = await this.store.create(tx, round, upgraded);
        const known = round.filter(({ id }) => !created.has(id));
        await this.store.change(tx, known, upgraded ? 'UPGRADED' : 'DEPLOYED');
      }
    });
  }
}

/** The commands of one deployment come one after the other, for a statement moves each row once. */
function rounds(learnt: readonly Learnt[]): Learnt[][] {
  const all: Learnt[][] = [];
  for (const ofOne of Map.groupBy(learnt, ({ id }) => id).values())
    for (const [place, one] of ofOne.entries()) (all[place] ??= []).push(one);
  return all;
}
