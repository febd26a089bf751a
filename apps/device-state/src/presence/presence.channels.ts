import { DeviceMessages, type ChannelMessage } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { Presence } from './presence.js';
import { PresenceStore } from './presence.store.js';
import { byProject, signOfHellos, signOfReports } from './sign.js';

/** What devices publish about themselves (interfaces §8). */
@Controller()
export class PresenceChannels {
  constructor(
    private readonly presence: Presence,
    private readonly store: PresenceStore,
  ) {}

  @DeviceMessages('hello')
  async hello(messages: ChannelMessage<'hello'>[]): Promise<void> {
    for (const [project, devices] of byProject(inOrder(messages))) {
      const signs = [...devices].map(([id, hellos]) => signOfHellos(id, hellos));
      await this.presence.record('hello', project, signs);
    }
  }

  @DeviceMessages('report')
  async report(messages: ChannelMessage<'report'>[]): Promise<void> {
    for (const [project, devices] of byProject(inOrder(messages))) {
      const signs = [...devices].map(([id, reports]) => signOfReports(id, reports));
      await this.presence.record('report', project, signs);
    }
  }

  @DeviceMessages('heartbeat')
  async heartbeat(messages: ChannelMessage<'heartbeat'>[]): Promise<void> {
    const projects = byProject(messages);
    const senders = [...projects].flatMap(([project_id, devices]) =>
      [...devices.keys()].map((device_id) => ({ project_id, device_id })),
    );
    const known = await this.store.touch(senders);
    for (const { project_id, device_id } of known) projects.get(project_id)?.delete(device_id);
    for (const [project_id, devices] of projects) {
      for (const device_id of devices.keys()) this.presence.dropUnknown('heartbeat', { project_id, device_id });
    }
    for (const [project, devices] of byProject(known.filter(({ state }) => state !== 'ONLINE'))) {
      const signs = [...devices.keys()].map((device_id) => ({ device_id, agent: null, patches: [] }));
      await this.presence.record('heartbeat', project, signs);
    }
  }
}

// Messages that come again after a failure may overtake one another within a batch.
const inOrder = <M extends { sequence: number }>(messages: readonly M[]) =>
  messages.toSorted((a, b) => a.sequence - b.sequence);
