import type { Device, JsonObject } from '@muster/contracts';
import type { ChannelMessage } from '@muster/messaging';
import { documentFault, type DocumentFault } from '../devices/document.limits.js';
import { mergePatch } from '../devices/merge-patch.js';

export type Agent = NonNullable<Device['agent']>;

/** What one device said in a batch of messages: that it lives, and perhaps more. */
export interface Sign {
  device_id: string;
  /** From its last hello. */
  agent: Agent | null;
  /** Changes of its reported state, in the order of their arrival. */
  patches: JsonObject[];
}

/** A device that a message names; whether it exists is not known yet. */
export interface Sender {
  project_id: string;
  device_id: string;
}

/** Groups by project and then by device; within a device the order of arrival stays. */
export function byProject<M extends Sender>(messages: readonly M[]): Map<string, Map<string, M[]>> {
  const projects = new Map<string, Map<string, M[]>>();
  for (const message of messages) {
    const devices = projects.get(message.project_id) ?? new Map<string, M[]>();
    projects.set(message.project_id, devices);
    const said = devices.get(message.device_id);
    if (said) said.push(message);
    else devices.set(message.device_id, [message]);
  }
  return projects;
}

export function signOfHellos(device_id: string, hellos: readonly ChannelMessage<'hello'>[]): Sign {
  const { agent = '', version = '', boot_id = '' } = hellos.at(-1)?.payload ?? {};
  const patches = hellos.flatMap(({ payload }) => (payload.reported ? [payload.reported] : []));
  return { device_id, agent: { agent, version, boot_id }, patches };
}

export const signOfReports = (device_id: string, reports: readonly ChannelMessage<'report'>[]): Sign => ({
  device_id,
  agent: null,
  patches: reports.map(({ payload }) => payload.reported),
});

/** Merges patches one after the other; one that would break a limit of the document is left out and told. */
export function mergeReported(
  reported: JsonObject,
  patches: readonly JsonObject[],
): { reported: JsonObject; faults: DocumentFault[] } {
  const faults: DocumentFault[] = [];
  for (const patch of patches) {
    const merged = documentFault(patch) ? patch : mergePatch(reported, patch);
    const fault = documentFault(merged);
    if (fault) faults.push(fault);
    else reported = merged;
  }
  return { reported, faults };
}
