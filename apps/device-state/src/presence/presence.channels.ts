import { DeviceMessages, type ChannelMessage } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { Presence } from './presence.js';
import { PresenceStore } from './presence.store.js';
import { byProject, signOfHeartbeat, signOfHellos, signOfReports, type Sender } from './sign.js';

/** What devices publish about themselves (interfaces §8). */
@Controller()
export class PresenceChannels {
  constructor(
    private readonly presence: Presence,
    private readonly store: PresenceStore,
  ) {}

  @DeviceMessages('hello')
  async hello(messages: ChannelMessage<'hello'>[]): Promise<void> {
    for (const [project, devices] of byProject(messages)) {
      const signs = [...devices].map(([id, hellos]) => signOfHellos(id, hellos));
      await this.presence.record('hello', project, signs);
    }
  }

  @DeviceMessages('report')
  async report(messages: ChannelMessage<'report'>[]): Promise<void> {
    for (const [project, devices] of byProject(messages)) {
      const signs = [...devices].map(([id, reports]) => signOfReports(id, reports));
      await this.presence.record('report', project, signs);
    }
  }

  @DeviceMessages('heartbeat')
  async heartbeat(messages: ChannelMessage<'heartbeat'>[]): Promise<void> {
    const beats = [...byProject(messages).values()].flatMap((devices) =>
      [...devices.values()].map((said) => said.at(-1)!),
    );
    const touched = byProject(await this.store.touch(beats));
    const others = beats.filter((beat) => !names(touched, beat));
    if (others.length === 0) return;
    const known = byProject(await this.store.known(others));
    const arriving: typeof beats = [];
    for (const beat of others) {
      const { project_id, device_id } = beat;
      if (names(known, beat)) arriving.push(beat);
      else this.presence.dropUnknown('heartbeat', { project_id, device_id });
    }
    for (const [project, devices] of byProject(arriving)) {
      const signs = [...devices].map(([id, said]) => signOfHeartbeat(id, said.at(-1)!));
      await this.presence.record('heartbeat', project, signs);
    }
  }
}

const names = (senders: ReturnType<typeof byProject>, { project_id, device_id }: Sender): boolean =>
  senders.get(project_id)?.has(device_id) ?? false;
