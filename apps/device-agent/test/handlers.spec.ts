import type { JsonObject } from '@muster/contracts';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const handlers = fileURLToPath(new URL('../handlers/', import.meta.url));

describe('given the example handlers and an empty site', () => {
  let root: string;
  let site: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'muster-site-'));
    site = join(root, 'atl-1');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function run(name: string, args: JsonObject, env: NodeJS.ProcessEnv = { MUSTER_SITE_DIR: site }, folder = handlers) {
    const { status, stdout, stderr } = spawnSync(join(folder, name), {
      input: JSON.stringify({ command_id: 'c-1', command: name, args }),
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], ...env },
    });
    const last = stdout.trim().split('\n').at(-1) ?? '';
    const code = /^code (.*)$/m.exec(stdout)?.[1];
    return {
      status,
      code,
      stdout,
      stderr,
      evidence: (last.startsWith('{') ? JSON.parse(last) : undefined) as JsonObject,
    };
  }
  const page = () => readFileSync(join(site, 'current', 'index.html'), 'utf8');

  it('when a release is deployed, then the site serves it, and the evidence proves it', () => {
    const { evidence, stdout } = run(
      'deployment_deploy.mjs',
      { deployment_id: 'd-1', deployment: { title: 'Hello <edge>' } },
      { MUSTER_SITE_DIR: site, MUSTER_NODE_CITY: 'Atlanta' },
    );
    expect(page()).toContain('<h1>Hello &lt;edge&gt;</h1>');
    expect(page()).toContain('<td>atl-1</td>');
    expect(page()).toContain('<td>Atlanta</td>');
    expect(stdout).toMatch(/^progress \d+$/m);
    const sha256 = createHash('sha256').update(page()).digest('hex');
    expect(evidence).toMatchObject({
      deployment_id: 'd-1',
      path: join(site, 'releases', 'd-1', 'index.html'),
      sha256,
      reported: { deployments: { 'd-1': { name: 'd-1', version: '1.0.0', state: 'running', sha256 } } },
    });
  });

  it('when it is deployed again, then the same release stays', () => {
    const args = { deployment_id: 'd-1', deployment: { title: 'One' } };
    const first = run('deployment_deploy.mjs', args).evidence;
    const second = run('deployment_deploy.mjs', args).evidence;
    expect(second['sha256']).toBe(first['sha256']);
    expect(readdirSync(site).sort()).toEqual(['current', 'releases', 'versions']);
  });

  it('when another release is deployed, then it takes over, the old one is kept, and no longer reported', () => {
    run('deployment_deploy.mjs', { deployment_id: 'd-1', deployment: { title: 'One' } });
    const { evidence } = run('deployment_deploy.mjs', { deployment_id: 'd-2', deployment: { title: 'Two' } });
    expect(page()).toContain('<h1>Two</h1>');
    expect(readlinkSync(join(site, 'current'))).toBe(join('releases', 'd-2'));
    expect(readdirSync(join(site, 'releases')).sort()).toEqual(['d-1', 'd-2']);
    expect(evidence['reported']).toMatchObject({ deployments: { 'd-1': null, 'd-2': { state: 'running' } } });
  });

  it('when a release has no id, then it is known by the command that made it', () => {
    const { evidence } = run('deployment_deploy.mjs', { name: 'shop', version: '2.0' });
    expect(evidence['reported']).toMatchObject({ deployments: { 'c-1': { name: 'shop', version: '2.0' } } });
  });

  it.each([['2026-11-21T15:03:34.684Z'], ['../../..'], ['.'], ['Ümläut 2 / β']])(
    'when its version is called %s, then that is what it is called, and no path',
    (version) => {
      const { evidence } = run('deployment_deploy.mjs', { deployment_id: 'd-1', deployment: { version } });
      expect(evidence['reported']).toMatchObject({ deployments: { 'd-1': { version } } });
      expect(readdirSync(root)).toEqual(['atl-1']);
      expect(readdirSync(site).sort()).toEqual(['current', 'releases', 'versions']);
    },
  );

  it('when a version is not one line, then it is refused by its name', () => {
    const { status, stderr } = run('deployment_deploy.mjs', { deployment_id: 'd-1', version: 'a\nb' });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'args.version: must be 1 to 128 characters on one line\n',
    });
  });

  it('when a deployment is upgraded, then the site serves the new version alone, and the evidence says from what', () => {
    run('deployment_deploy.mjs', { deployment_id: 'd-1', deployment: { name: 'shop', title: 'One' } });
    const { evidence } = run('deployment_upgrade.mjs', {
      deployment_id: 'd-1',
      version: '1.1',
      upgrade: { title: 'Two' },
    });
    expect(evidence).toMatchObject({
      before: '1.0.0',
      after: '1.1',
      deployment_id: 'd-1',
      reported: { deployments: { 'd-1': { name: 'shop', version: '1.1', state: 'running' } } },
    });
    expect(page()).toContain('<h1>Two</h1>');
    expect(page()).toContain('<td>1.1</td>');
    expect(readdirSync(join(site, 'versions', 'd-1'))).toHaveLength(1);
    expect(readdirSync(join(site, 'releases'))).toEqual(['d-1']);

    const first = page();
    const again = run('deployment_upgrade.mjs', { deployment_id: 'd-1', upgrade: { version: '1.1' } });
    expect(again.evidence).toMatchObject({ before: '1.1', after: '1.1' });
    expect(page()).toBe(first);
  });

  it('when a deployment is upgraded that is not served, then it is not served after that either', () => {
    run('deployment_deploy.mjs', { deployment_id: 'd-1' });
    run('deployment_deploy.mjs', { deployment_id: 'd-2' });
    const { evidence } = run('deployment_upgrade.mjs', { deployment_id: 'd-1', version: '1.1' });
    expect(evidence['reported']).toMatchObject({ deployments: { 'd-1': { version: '1.1', state: 'stopped' } } });
    expect(page()).toContain('<td>d-2</td>');
  });

  it('when a deployment is upgraded that does not exist, then the code says so, and nothing is written', () => {
    expect(run('deployment_upgrade.mjs', { deployment_id: 'd-1', version: '1.1' })).toMatchObject({
      status: 1,
      code: 'unknown_deployment',
      stderr: 'deployment d-1 does not exist here\n',
    });
    expect(existsSync(site)).toBe(false);
  });

  it('when the deployment that is served is removed, then nothing is served or left of it, and another one stays', () => {
    run('deployment_deploy.mjs', { deployment_id: 'd-1' });
    run('deployment_deploy.mjs', { deployment_id: 'd-2', version: '2.0' });
    const { status, evidence } = run('deployment_remove.mjs', { deployment_id: 'd-2' });
    expect(status).toBe(0);
    expect(evidence).toEqual({ before: '2.0', deployment_id: 'd-2', reported: { deployments: { 'd-2': null } } });
    expect(readdirSync(site).sort()).toEqual(['releases', 'versions']);
    expect(readdirSync(join(site, 'releases'))).toEqual(['d-1']);
    expect(readdirSync(join(site, 'versions'))).toEqual(['d-1']);
  });

  it('when another deployment than the one that is served is removed, then the site serves on', () => {
    run('deployment_deploy.mjs', { deployment_id: 'd-1' });
    run('deployment_deploy.mjs', { deployment_id: 'd-2' });
    expect(run('deployment_remove.mjs', { deployment_id: 'd-1' }).evidence).toMatchObject({ before: '1.0.0' });
    expect(page()).toContain('<td>d-2</td>');
    expect(readdirSync(join(site, 'versions'))).toEqual(['d-2']);
  });

  it('when a deployment is removed that does not exist, then that is a success, and nothing is written', () => {
    const gone = { deployment_id: 'd-1', reported: { deployments: { 'd-1': null } } };
    expect(run('deployment_remove.mjs', { deployment_id: 'd-1' })).toMatchObject({ status: 0, evidence: gone });
    expect(existsSync(site)).toBe(false);
    run('deployment_deploy.mjs', { deployment_id: 'd-1' });
    run('deployment_remove.mjs', { deployment_id: 'd-1' });
    expect(run('deployment_remove.mjs', { deployment_id: 'd-1' }).evidence).toEqual(gone);
  });

  it('when a removal was cut short, then the next one ends it', () => {
    run('deployment_deploy.mjs', { deployment_id: 'd-1' });
    rmSync(join(site, 'current'));
    rmSync(join(site, 'releases', 'd-1'));
    expect(run('deployment_remove.mjs', { deployment_id: 'd-1' }).status).toBe(0);
    expect(readdirSync(join(site, 'versions'))).toEqual([]);
  });

  it.each(
    ['deployment_deploy.mjs', 'deployment_remove.mjs'].flatMap((name) =>
      ['../../etc', '..', ''].map((id) => [name, id] as const),
    ),
  )('when %s gets the deployment id %s, then it fails and writes nothing', (name, id) => {
    const { status, stderr } = run(name, { deployment_id: id });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^args.deployment_id: /);
    expect(existsSync(site)).toBe(false);
  });

  it('when the node is upgraded, then the evidence says from what to what, and once more changes nothing', () => {
    expect(run('node_upgrade.mjs', { version: '1.2.0' }).evidence).toMatchObject({ before: '1.0.0', after: '1.2.0' });
    const again = { before: '1.2.0', after: '1.2.0', reported: { version: '1.2.0' } };
    expect(run('node_upgrade.mjs', { version: '1.2.0' }).evidence).toEqual(again);
    expect(run('node_upgrade.mjs', {}).evidence).toEqual(again);
    // As a batch job gives it.
    expect(run('node_upgrade.mjs', { upgrade: { version: '1.3.0' } }).evidence).toMatchObject({ after: '1.3.0' });
  });

  describe('and a difference to converge', () => {
    const state = () => JSON.parse(readFileSync(join(site, 'state.json'), 'utf8')) as JsonObject;
    const converge = (desired: JsonObject, folder = handlers, provision = false) =>
      run('CONVERGE.mjs', { desired, provision }, { MUSTER_SITE_DIR: site }, folder);
    /** The example handlers, with hooks of the test's own. */
    function withHook(key: string, script: string): string {
      const folder = join(root, 'handlers');
      cpSync(handlers, folder, { recursive: true });
      writeFileSync(join(folder, 'converge.d', key), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      return folder;
    }

    it('when it is applied, then the document is merged, and what is reported covers the difference', () => {
      const first = { sampling: { seconds: 5, mode: 'fast' }, label: 'a' };
      expect(converge(first).evidence).toEqual({ keys: ['sampling', 'label'], reported: first });
      const second = { sampling: { mode: null, seconds: 9 }, label: null };
      expect(converge(second).evidence['reported']).toEqual(second);
      expect(converge(second).evidence['reported']).toEqual(second);
      expect(state()).toEqual({ sampling: { seconds: 9 } });
      expect(readdirSync(site)).toEqual(['state.json']);
    });

    it('when a key has an executable, then that gets the whole wanted value, and null for one that is to go', () => {
      const folder = withHook(
        'sampling',
        `cat >> ${join(root, 'seen')}; echo " $MUSTER_PROVISION" >> ${join(root, 'seen')}`,
      );
      converge({ sampling: { seconds: 5 } }, folder);
      converge({ sampling: { mode: 'fast' } }, folder, true);
      converge({ sampling: null }, folder);
      expect(readFileSync(join(root, 'seen'), 'utf8').split('\n')).toEqual([
        '{"seconds":5} false',
        '{"seconds":5,"mode":"fast"} true',
        'null false',
        '',
      ]);
      expect(state()).toEqual({});
    });

    it('when a key cannot be applied, then the failure names it, and what came before is reported and stays', () => {
      const folder = withHook('radio', 'echo "no such band" >&2; exit 3');
      const answer = converge({ label: 'a', radio: { band: 9 }, other: 1 }, folder);
      expect(answer).toMatchObject({ status: 1, code: 'not_converged', stderr: 'radio: no such band\n' });
      expect(answer.evidence).toEqual({ reported: { label: 'a' } });
      expect(state()).toEqual({ label: 'a' });
    });

    it('when a key is a fact, then only an executable changes it, and the document does not repeat it', () => {
      expect(converge({ version: '4.0' }).evidence).toMatchObject({ reported: { version: '4.0' } });
      expect(readFileSync(join(site, 'version'), 'utf8')).toBe('4.0\n');
      expect(existsSync(join(site, 'state.json'))).toBe(false);
      expect(converge({ os: { type: 'Plan9' } })).toMatchObject({
        code: 'not_converged',
        stderr: 'os: cannot be changed without an executable converge.d/os\n',
      });
      expect(converge({ version: null }).stderr).toBe('version: a node cannot be without a version\n');
    });
  });

  it('when nobody says where the site is, then it fails with the name of the variable', () => {
    expect(run('node_upgrade.mjs', {}, {})).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^MUSTER_SITE_DIR: /) as string,
    });
  });
});
