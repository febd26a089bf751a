import { STATUS_TEXT, type StatusMessage } from '@muster/contracts';
import type { DeviceStatus } from './status.judge.js';

/**
 * A status as the rest of us takes it: its texts no longer than we keep, as the end of a command outweighs them; and its command's id in small
 * letters, as a UUID may be written in capitals, and ours are compared as text.
 */
export const readStatus = <S extends DeviceStatus>(status: S): S => ({
  ...status,
  payload: { ...status.payload, command_id: status.payload.command_id.toLowerCase(), ...keptTexts(status.payload) },
});

const keptTexts = ({ reason, code }: StatusMessage) => ({
  ...(reason !== undefined && { reason: beginning(reason, STATUS_TEXT.reason) }),
  ...(code !== undefined && { code: beginning(code, STATUS_TEXT.code) }),
});

/** No table takes half of a surrogate pair, which a cut may leave. */
const beginning = (text: string, length: number) =>
  text.length > length ? text.slice(0, length).replace(/[\ud800-\udbff]$/, '') : text;
