import type { CommandState } from '@muster/contracts';

/** A command whose time has come, as its row stands. */
export interface DueCommand {
  id: string;
  state: CommandState;
  attempt: number;
  cancel_requested: boolean;
  retries: boolean;
  /** Whether it may wait no longer. */
  expired: boolean;
  /** Whether the window that it was to be sent in is over. */
  missed: boolean;
  /** Whether the device should have come to an end with it. */
  overdue: boolean;
}

/**
 * What becomes of a command whose time has come. `never_contacted`: its device was never reached in time; `no_further_attempt`: it was, and the
 * next attempt was not sent in time. `missed`: look for the next window; `queue`: its window is open, or its next attempt due; `unanswered`: nobody
 * waits for the device's word about the cancel; `too_long`: its device had its time; `ask`: send it again.
 */
export type DueStep =
  'never_contacted' | 'no_further_attempt' | 'missed' | 'queue' | 'unanswered' | 'too_long' | 'ask' | 'wait';

export function judgeDue(command: DueCommand): DueStep {
  switch (command.state) {
    case 'QUEUED':
    case 'SCHEDULED':
      if (command.expired) return command.attempt === 0 ? 'never_contacted' : 'no_further_attempt';
      if (command.state === 'SCHEDULED') return 'queue';
      return command.missed ? 'missed' : 'wait';
    case 'INITIATED':
    case 'ACKNOWLEDGED':
    case 'INPROGRESS':
      if (!command.overdue) return 'ask';
      return command.cancel_requested ? 'unanswered' : 'too_long';
    default:
      return 'wait';
  }
}
