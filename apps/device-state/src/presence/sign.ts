import { documentFault, mergePatch, type Device, type DocumentFault, type JsonObject } from '@muster/contracts';
import type { ChannelMessage } from '@muster/messaging';

export type Agent = NonNullable<Device['agent']>;

/** The place of a message in its channel: its time (epoch ms) first, because a stream that is made anew counts from one again. */
export interface Stamp {
  at: number;
  sequence: number;
}

/** The channels that change a device's row by what they say; a message on them may come again, and late. */
export type StateChannel = 'hello' | 'report';

/** For each channel the last message that was applied to a device; older ones are out of date. */
export type Applied = Partial<Record<StateChannel, Stamp>>;

/** One message of a device: that it lives, and perhaps which agent runs (hello) and a change of its reported state. */
export interface Statement extends Stamp {
  agent: Agent | null;
  patch: JsonObject | null;
}

/** What one device said in a batch of messages of one channel: at least one statement, in their order. */
export interface Sign {
  device_id: string;
  statements: Statement[];
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

export const signOfHellos = (device_id: string, hellos: readonly ChannelMessage<'hello'>[]): Sign => ({
  device_id,
  statements: inOrder(hellos).map(
    ({ at, sequence, payload: { agent = '', version = '', boot_id = '', reported } }) => ({
      at,
      sequence,
      agent: { agent, version, boot_id },
      patch: reported ?? null,
    }),
  ),
});

export const signOfReports = (device_id: string, reports: readonly ChannelMessage<'report'>[]): Sign => ({
  device_id,
  statements: inOrder(reports).map(({ at, sequence, payload }) => ({
    at,
    sequence,
    agent: null,
    patch: payload.reported,
  })),
});

export const signOfHeartbeat = (device_id: string, { at, sequence }: Stamp): Sign => ({
  device_id,
  statements: [{ at, sequence, agent: null, patch: null }],
});

/** When the device was heard last, epoch ms. */
export const heardAt = ({ statements }: Sign): number => statements.at(-1)?.at ?? 0;

/** The statements that say something new: those after the last one that was applied. */
export const newerThan = (last: Stamp | undefined, statements: readonly Statement[]): Statement[] =>
  last ? statements.filter((statement) => byStamp(statement, last) > 0) : [...statements];

const byStamp = (a: Stamp, b: Stamp) => a.at - b.at || a.sequence - b.sequence;

// Messages that come again after a failure may overtake one another within a batch.
const inOrder = <M extends Stamp>(messages: readonly M[]) => messages.toSorted(byStamp);

/** Merges a patch; one that would break a limit of the document is left out, and its fault told. */
export function mergeReported(
  reported: JsonObject,
  patch: JsonObject,
): { reported: JsonObject; fault: DocumentFault | undefined } {
  const merged = documentFault(patch) ? patch : mergePatch(reported, patch);
  const fault = documentFault(merged);
  return { reported: fault ? reported : merged, fault };
}
