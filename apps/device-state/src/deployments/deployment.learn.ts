import { isObject, type deviceWork, type JsonObject, type WorkBatch } from '@muster/contracts';
import { v5 } from 'uuid';

export type DeployedBatch = WorkBatch<typeof deviceWork.deployed>;
type Item = DeployedBatch['items'][number];

/** The namespace of the ids that are made here (RFC 9562). */
const DEPLOYMENTS = '6c1f5a0e-7b5d-4f53-8a26-9d0f1f0f7c31';
/** The longest name or version that is kept. */
const MAX_TEXT = 256;

/** A command that succeeded, and the deployment that it is about. */
export interface Told {
  id: string;
  device_id: string;
  command_id: string;
}

/** What it says of what it made, or upgraded to; null where it says nothing. */
export interface Learnt extends Told {
  name: string | null;
  version: string | null;
  /** The document that it was made of. */
  args: JsonObject;
}

/** The deployment that a command is about, by the id that it was asked for under. */
export const toldOf = ({ deployment_id, device_id, command_id }: Item): Told => ({
  id: deployment_id.toLowerCase(),
  device_id,
  command_id,
});

/**
 * Reads what a command deployed. The document is `args.deployment` of a `deployment_deploy` and `args.upgrade` of a `deployment_upgrade`, else
 * all arguments; name and version stand in the arguments, in the document or in the evidence, whichever says it first.
 */
export function learn(head: DeployedBatch['head'], item: Item): Learnt {
  const { deployment_id: _, ...all } = { ...head.args, ...item.args };
  const inner = all[head.command === 'deployment_deploy' ? 'deployment' : 'upgrade'];
  const document = isObject(inner) ? inner : all;
  const said = (key: string): string | null =>
    [all[key], document[key], item.evidence?.[key]].map(asText).find((text) => text !== null) ?? null;
  return { ...toldOf(item), name: said('name'), version: said('version'), args: document };
}

/**
 * The id that a deployment has on a device: the one that was asked for, or, where the deployment of that id stands on another device, since one
 * command may give many devices the same id, one that follows from both.
 * @param asked in lower case.
 * @param holder the device that has the deployment of that id, if any does.
 */
export const deploymentIdOn = (device_id: string, asked: string, holder: string | undefined): string =>
  holder === undefined || holder === device_id ? asked : v5(`${asked} ${device_id}`, DEPLOYMENTS);

const asText = (value: unknown): string | null =>
  (typeof value === 'string' && value !== '') || typeof value === 'number' ? String(value).slice(0, MAX_TEXT) : null;
