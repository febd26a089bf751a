import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ReportedState } from './reported.state.js';

describe('given what a device has reported', () => {
  let dir: string;
  let logged: string[];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'muster-reported-'));
    logged = [];
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const open = (folder = dir) => new ReportedState(join(folder, 'reported.json'), (_level, msg) => logged.push(msg));

  it('when the agent restarts, then all reports are there, merged', () => {
    const state = open();
    expect(state.document).toEqual({});
    state.apply({ version: '1', deployments: { a: { state: 'running' }, b: {} } });
    state.apply({ version: '2', deployments: { b: null } });
    expect(open().document).toEqual({ version: '2', deployments: { a: { state: 'running' } } });
  });

  it('when the file cannot be read or written, then that is logged, and the agent goes on', () => {
    writeFileSync(join(dir, 'reported.json'), '{');
    expect(open().document).toEqual({});
    const state = open(join(dir, 'no', 'such', 'folder'));
    state.apply({ a: 1 });
    expect(state.document).toEqual({ a: 1 });
    expect(logged).toEqual(['reported state forgotten: unreadable', 'reported state not kept']);
  });
});
