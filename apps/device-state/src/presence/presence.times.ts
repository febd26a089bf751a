import { HEARTBEAT_SECONDS, MISSED_HEARTBEATS } from '@muster/contracts';

const LEAST = 0.1;
const MOST = 86_400;

/** How often a device says that it is there, and how long it may be silent before it counts as offline (interfaces §8). */
export class PresenceTimes {
  constructor(readonly heartbeatSeconds: number) {}

  /**
   * `MUSTER_HEARTBEAT_SECONDS`, 30 unless told.
   * @throws Error when it is not a number of seconds between 0.1 and a day.
   */
  static read(env: NodeJS.ProcessEnv): PresenceTimes {
    const value = env['MUSTER_HEARTBEAT_SECONDS'];
    if (value === undefined || value === '') return new PresenceTimes(HEARTBEAT_SECONDS);
    const seconds = Number(value);
    if (!(seconds >= LEAST && seconds <= MOST))
      throw new Error(`MUSTER_HEARTBEAT_SECONDS must be a number of seconds between ${LEAST} and ${MOST}`);
    return new PresenceTimes(seconds);
  }

  get silenceSeconds(): number {
    return this.heartbeatSeconds * MISSED_HEARTBEATS;
  }
}
