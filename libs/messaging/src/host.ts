/** Why a message of a device was dropped before any handler saw it; `overflow`: more came than could be handled. */
export type DropReason = 'too_large' | 'not_json' | 'invalid' | 'overflow' | 'superseded';

/** How handling a message ended; `busy`: refused unseen, because too many waited. */
export type Outcome = 'ok' | 'refused' | 'failed' | 'busy';

/** What could not be handled; parked where it can be replayed from. */
export interface ParkedMessage {
  /** The same however often the message comes. */
  name: string;
  subject: string;
  headers: Record<string, string>;
  payload: Uint8Array;
  reason: string;
  deliveries: number;
}

/** Remembers, beyond the end of the process, which messages it was handling. */
export interface Watch {
  /** How many other readers were lost with each message; those of which none was are left out. */
  lostReaders(messages: readonly string[]): Promise<Map<string, number>>;
  begin(messages: readonly string[]): Promise<void>;
  /** What fails is tried again by the watch itself until it is done: this reader lives, and shall not be taken for a lost one. */
  end(messages: readonly string[]): Promise<void>;
}

/** What the transport needs of its service: where to park, what to count, whose trouble a failure is. */
export interface TransportHost {
  /** May be asked twice for one message, and keeps it once. */
  park(message: ParkedMessage): Promise<void>;
  readonly watch: Watch;
  /** True when the failure says nothing about the message (a lost connection): it is tried again without end. */
  isTransient(error: unknown): boolean;
  onDropped(channel: string, reason: DropReason, detail: { subject: string; message: string }): void;
  onHandled(pattern: string, outcome: Outcome, seconds: number): void;
  onError(pattern: string, error: unknown): void;
}
