import type { StatusMessage } from '@muster/contracts';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Outbox, type OutboxMessage } from './outbox.js';

const status = (command_id: string, word: StatusMessage['status'], progress?: number) => ({
  channel: 'status' as const,
  payload: { command_id, fence: 1, status: word, ...(progress !== undefined && { progress }) },
});

const inWords = ({ channel, payload }: OutboxMessage) =>
  channel === 'report' ? 'report' : [payload.command_id, payload.status, payload.progress].filter(Boolean).join(' ');

describe('given the outbox of an agent', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'muster-outbox-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const outbox = () => new Outbox(dir, () => undefined);

  it('when the server takes messages, then they arrive in order and nothing stays on disk', async () => {
    const taken: string[] = [];
    const box = outbox();
    box.open(async (message) => void taken.push(inWords(message)));
    box.add({ channel: 'report', payload: { reported: { a: 1 } } });
    box.add(status('x', 'success'));
    box.add(status('y', 'failure'));

    await vi.waitFor(() => expect(taken).toEqual(['report', 'x success', 'y failure']));
    await vi.waitFor(() => expect(readdirSync(dir)).toEqual([]));
  });

  it('when the server refuses at first, then the same message, with the same id, is tried until it is taken', async () => {
    const tried: string[] = [];
    const box = outbox();
    box.add(status('x', 'success'));
    box.open(async ({ id }) => {
      tried.push(id);
      if (tried.length < 3) throw new Error('no stream');
    });

    await vi.waitFor(() => expect(readdirSync(dir)).toEqual([]), 5000);
    expect(tried).toHaveLength(3);
    expect(new Set(tried).size).toBe(1);
  });

  it('when a command goes on while the server is away, then only its newest status waits', async () => {
    const taken: string[] = [];
    const box = outbox();
    box.add(status('w', 'success'));
    box.add(status('x', 'acknowledged'));
    box.add(status('x', 'inprogress', 10));
    box.add(status('y', 'inprogress', 40));
    box.add(status('x', 'inprogress', 20));
    box.add(status('y', 'success'));
    box.open(async (message) => void taken.push(inWords(message)));

    await vi.waitFor(() => expect(taken).toEqual(['w success', 'x inprogress 20', 'y success']));
  });

  it('when the agent ends before the server takes anything, then the next one sends what must not be lost', async () => {
    const before = outbox();
    before.open(() => Promise.reject(new Error('away')));
    before.add({ channel: 'report', payload: { reported: {} } });
    before.add(status('y', 'inprogress', 1));
    before.add(status('x', 'failure'));
    await before.close(10);

    const taken: string[] = [];
    const after = outbox();
    after.add(status('z', 'success'));
    after.open(async (message) => void taken.push(inWords(message)));
    await vi.waitFor(() => expect(taken).toEqual(['report', 'x failure', 'z success']));
  });
});
