import { deviceWork } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { deploymentIdOf, learn, type DeployedBatch, type Learnt } from './deployment.learn.js';
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
      const holders = await this.store.holders(
        tx,
        items.map((item) => item.deployment_id),
      );
      const learnt = items.map((item): Learnt => {
        const asked = item.deployment_id.toLowerCase();
        const id = deploymentIdOf(item, holders.get(asked));
        if (!holders.has(asked)) holders.set(asked, item.device_id);
        return { id, ...learn(head, item) };
      });
      for (const round of rounds(learnt)) {
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
