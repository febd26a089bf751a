import type { JsonObject } from '@muster/contracts';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
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

  function run(name: string, args: JsonObject, env: NodeJS.ProcessEnv = { MUSTER_SITE_DIR: site }) {
    const { status, stdout, stderr } = spawnSync(join(handlers, name), {
      input: JSON.stringify({ command: name, args }),
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], ...env },
    });
    const last = stdout.trim().split('\n').at(-1) ?? '';
    return { status, stdout, stderr, evidence: (status === 0 ? JSON.parse(last) : undefined) as JsonObject };
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
      reported: { deployments: { 'd-1': { state: 'running', sha256 } } },
    });
  });

  it('when it is deployed again, then the same release stays', () => {
    const args = { deployment_id: 'd-1', deployment: { title: 'One' } };
    const first = run('deployment_deploy.mjs', args).evidence;
    const second = run('deployment_deploy.mjs', args).evidence;
    expect(second['sha256']).toBe(first['sha256']);
    expect(readdirSync(site).sort()).toEqual(['current', 'releases']);
  });

  it('when another release is deployed, then it takes over, the old one is kept, and no longer reported', () => {
    run('deployment_deploy.mjs', { deployment_id: 'd-1', deployment: { title: 'One' } });
    const { evidence } = run('deployment_deploy.mjs', { deployment_id: 'd-2', deployment: { title: 'Two' } });
    expect(page()).toContain('<h1>Two</h1>');
    expect(readlinkSync(join(site, 'current'))).toBe(join('releases', 'd-2'));
    expect(readdirSync(join(site, 'releases')).sort()).toEqual(['d-1', 'd-2']);
    expect(evidence['reported']).toMatchObject({ deployments: { 'd-1': null, 'd-2': { state: 'running' } } });
  });

  it.each([[undefined], ['../../etc'], ['..'], ['']])(
    'when the deployment id is %s, then it fails and writes nothing',
    (id) => {
      const { status, stderr } = run('deployment_deploy.mjs', { deployment_id: id });
      expect(status).toBe(1);
      expect(stderr).toMatch(/^args.deployment_id: /);
      expect(existsSync(site)).toBe(false);
    },
  );

  it('when the node is upgraded, then the evidence says from what to what, and once more changes nothing', () => {
    expect(run('node_upgrade.mjs', { version: '1.2.0' }).evidence).toMatchObject({ before: '1.0.0', after: '1.2.0' });
    const again = { before: '1.2.0', after: '1.2.0', reported: { version: '1.2.0' } };
    expect(run('node_upgrade.mjs', { version: '1.2.0' }).evidence).toEqual(again);
    expect(run('node_upgrade.mjs', {}).evidence).toEqual(again);
  });

  it('when nobody says where the site is, then it fails with the name of the variable', () => {
    expect(run('node_upgrade.mjs', {}, {})).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^MUSTER_SITE_DIR: /) as string,
    });
  });
});
