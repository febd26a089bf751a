const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** The two bytes that make an encoded seed begin with `SU`: the seed of a user. */
const USER_SEED = [149, 0] as const;

/**
 * The seed of a user from 32 bytes of one's own, as nkeys write it: prefix, bytes, CRC-16, in base 32. The client library makes seeds from chance
 * alone.
 * @throws RangeError for another number of bytes.
 */
export function userSeed(raw: Uint8Array): string {
  if (raw.length !== 32) throw new RangeError(`a seed has 32 bytes, not ${raw.length}`);
  const body = [...USER_SEED, ...raw];
  const checksum = crc16(body);
  return base32([...body, checksum & 0xff, checksum >> 8]);
}

/** CRC-16/XMODEM. */
function crc16(bytes: readonly number[]): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

/** RFC 4648, without padding. */
function base32(bytes: readonly number[]): string {
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => ALPHABET[parseInt(five.padEnd(5, '0'), 2)]).join('');
}
