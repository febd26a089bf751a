import { isStorable, STATUS_TEXT, type StatusMessage } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readStatus } from './status.read.js';

const status = (over: Partial<StatusMessage>) => ({
  device_id: 'd',
  payload: { command_id: '3F1C2A52-6b3f-4a53-9d2a-0a1d9be0a001', fence: 1, status: 'failure' as const, ...over },
});

describe('readStatus', () => {
  it('given an id in capitals and texts that fit, then the id alone is rewritten', () => {
    const said = status({ reason: 'disk full', code: 'exit_1', evidence: { free: 0 } });
    const command_id = '3f1c2a52-6b3f-4a53-9d2a-0a1d9be0a001';
    expect(readStatus(said)).toEqual({ ...said, payload: { ...said.payload, command_id } });
    expect(readStatus(status({})).payload).not.toHaveProperty('reason');
  });

  it.each(['reason', 'code'] as const)('given any %s, then its beginning stays, and no half of a pair', (field) => {
    const length = STATUS_TEXT[field];
    const text = fc.array(fc.constantFrom('a', '😀'), { minLength: length - 2, maxLength: length + 2 });
    fc.assert(
      fc.property(
        text.map((parts) => parts.join('')),
        (said) => {
          const kept = readStatus(status({ [field]: said })).payload[field]!;
          expect(said.startsWith(kept)).toBe(true);
          expect(isStorable(kept)).toBe(true);
          expect(kept.length).toBeLessThanOrEqual(length);
          expect(kept.length).toBeGreaterThanOrEqual(Math.min(said.length, length - 1));
        },
      ),
    );
  });
});
