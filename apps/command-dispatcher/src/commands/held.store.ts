import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import type { ToldHeld } from './command.steps.js';

/** A command that was asked for again, and whether its device is online. */
export interface AskedAgain {
  command_id: string;
  device_id: string;
  online: boolean;
  turn?: number;
}

/** A command that is held, whether its device is back or not. */
export type Held = ToldHeld & { online: boolean };

const TOLD = 't.id, t.ref, t.request_id, t.traceparent, t.turn';

/** The statements on commands that are held. The lanes of their devices must be locked by the transaction. */
@Injectable()
export class HeldStore {
  /** Holds what no device was sent, of the queues of those of these devices that are offline. Gives what was not held before. */
  async hold(tx: Tx, deviceIds: readonly string[]): Promise<ToldHeld[]> {
    return tx.query<ToldHeld & Record<string, unknown>>(
      `UPDATE command t SET held = true
       FROM ${batch(['$2::uuid[]'], ['device_id'])} JOIN lane USING (project_id, device_id)
       WHERE NOT lane.online AND t.project_id = i.project_id AND t.device_id = i.device_id AND t.state = 'QUEUED'
         AND t.hold_offline AND t.attempt = 0 AND NOT t.held
       RETURNING ${TOLD}`,
      [tx.project, deviceIds],
    );
  }

  /** What is held of these devices. */
  async held(tx: Tx, deviceIds: readonly string[]): Promise<ToldHeld[]> {
    return tx.query<ToldHeld & Record<string, unknown>>(
      `SELECT ${TOLD} FROM ${batch(['$2::uuid[]'], ['device_id'])} JOIN command t USING (project_id, device_id)
       WHERE t.held AND t.state IN ('QUEUED', 'SCHEDULED')`,
      [tx.project, deviceIds],
    );
  }

  /**
   * Of commands that were asked for again, and that no device was sent, those of offline devices are held, and those whose turn is no higher than
   * before stay so; the others are held no more. Gives the first two.
   */
  async askAgain(tx: Tx, asked: readonly AskedAgain[]): Promise<Held[]> {
    const rows = await tx.query<Held & { held: boolean }>(
      `UPDATE command t SET held = NOT (i.online AND coalesce(i.turn > t.turn, true)), turn = greatest(t.turn, i.turn)
       FROM ${batch(['$2::uuid[]', '$3::uuid[]', '$4::boolean[]', '$5::integer[]'], ['id', 'device_id', 'online', 'turn'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.device_id = i.device_id AND t.state IN ('QUEUED', 'SCHEDULED')
         AND t.hold_offline AND t.attempt = 0 AND (t.held OR NOT i.online)
       RETURNING ${TOLD}, t.held, i.online`,
      [
        tx.project,
        asked.map(({ command_id }) => command_id),
        asked.map(({ device_id }) => device_id),
        asked.map(({ online }) => online),
        asked.map(({ turn }) => turn ?? null),
      ],
    );
    return rows.filter(({ held }) => held);
  }
}
