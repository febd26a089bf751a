import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findHandler, listHandlers } from './handler.find.js';

describe('given a folder of handlers', () => {
  let root: string;
  let dir: string;
  const add = (name: string, mode = 0o755) => {
    writeFileSync(join(dir, name), '');
    chmodSync(join(dir, name), mode);
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'muster-handlers-'));
    dir = join(root, 'handlers');
    mkdirSync(join(dir, 'folder'), { recursive: true });
    writeFileSync(join(root, 'outside'), '', { mode: 0o755 });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('when a file has the name of the command, then it comes before those with an extension', () => {
    add('reboot.sh');
    add('reboot.mjs');
    expect(findHandler(dir, 'reboot')).toBe(join(dir, 'reboot.sh'));
    add('reboot');
    expect(findHandler(dir, 'reboot')).toBe(join(dir, 'reboot'));
  });

  it('when what has the name cannot be executed, then it is no handler', () => {
    add('notes.txt', 0o644);
    expect(findHandler(dir, 'notes')).toBeUndefined();
    expect(findHandler(dir, 'folder')).toBeUndefined();
    expect(findHandler(dir, 'absent')).toBeUndefined();
  });

  it('when the command is a path, then nothing is found', () => {
    expect(findHandler(dir, '../outside')).toBeUndefined();
    expect(findHandler(dir, join(root, 'outside'))).toBeUndefined();
    expect(findHandler(dir, '')).toBeUndefined();
  });

  it('when asked what it handles, then each command is named once', () => {
    add('reboot');
    add('reboot.sh');
    add('deploy.mjs');
    add('notes.txt', 0o644);
    expect(listHandlers(dir)).toEqual(['deploy', 'reboot']);
  });
});
