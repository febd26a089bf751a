import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandMemory, type CommandRecord } from './command.memory.js';

const record = (command_id: string, fence = 1): CommandRecord => ({
  command_id,
  fence,
  started: '2026-01-01T00:00:00Z',
});

describe('given the memory of an agent', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'muster-memory-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('when the agent restarts, then it finds begun and ended commands again', () => {
    const memory = new CommandMemory(dir);
    memory.remember(record('a'));
    memory.remember({ ...record('b', 2), final: { command_id: 'b', fence: 2, status: 'success' } });

    const again = new CommandMemory(dir);
    expect(again.recall('a')).toEqual(record('a'));
    expect(again.recall('b')).toMatchObject({ fence: 2, final: { status: 'success' } });
    expect(again.recall('c')).toBeUndefined();
    expect(again.commandIds.sort()).toEqual(['a', 'b']);
  });

  it('when there are more commands than it may hold, then the ones that changed longest ago are forgotten', () => {
    const memory = new CommandMemory(dir, { count: 2, age: Infinity });
    memory.remember(record('a'));
    memory.remember(record('b'));
    memory.remember(record('a', 2));
    memory.remember(record('c'));

    expect(memory.recall('b')).toBeUndefined();
    expect(memory.recall('a')).toEqual(record('a', 2));
    expect(readdirSync(dir).sort()).toEqual(['a.json', 'c.json']);
  });

  it('when a command is too old, then it is forgotten', () => {
    let now = Date.now();
    const memory = new CommandMemory(dir, { count: 10, age: 1000 }, () => now);
    memory.remember(record('a'));
    now += 5000;
    memory.remember(record('b'));

    expect(memory.recall('a')).toBeUndefined();
    expect(memory.recall('b')).toBeDefined();
  });

  it('when a write was cut off, then its remains are removed and the record before it holds', () => {
    new CommandMemory(dir).remember(record('a'));
    writeFileSync(join(dir, 'a.json.tmp'), '{"command_id":"a","fen');

    expect(new CommandMemory(dir).recall('a')).toEqual(record('a'));
    expect(existsSync(join(dir, 'a.json.tmp'))).toBe(false);
  });

  it('when a record cannot be read, then it does not pass for a command never seen', () => {
    const memory = new CommandMemory(dir);
    memory.remember(record('a'));
    writeFileSync(join(dir, 'a.json'), '{');

    expect(() => memory.recall('a')).toThrow(SyntaxError);
  });
});
