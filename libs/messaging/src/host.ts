/** Why a message of a device was dropped before any handler saw it. */
export type DropReason = 'too_large' | 'not_json' | 'invalid';

/** What could not be handled; parked where it can be replayed from. */
export interface ParkedMessage {
  subject: string;
  headers: Record<string, string>;
  payload: Uint8Array;
  reason: string;
  deliveries: number;
}

/** What the transport needs of its service: where to park, what to count, whose trouble a failure is. */
export interface TransportHost {
  park(message: ParkedMessage): Promise<void>;
  /** True when the failure says nothing about the message (a lost connection): it is tried again without end. */
  isTransient(error: unknown): boolean;
  onDropped(channel: string, reason: DropReason, detail: { subject: string; message: string }): void;
  onHandled(pattern: string, outcome: 'ok' | 'refused' | 'failed', seconds: number): void;
  onError(pattern: string, error: unknown): void;
}
