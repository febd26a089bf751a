import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { replaceFile } from './handler.mjs';

/*
 * <site>/releases/<deployment_id>  link to the version of the deployment that is in force
 * <site>/versions/<deployment_id>/<hash of the version>/{index.html,deployment.json}
 * <site>/current                   link to the release that is served
 */

const DEPLOYMENT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Whatever its users call it: a number, a date, a name. */
const VERSION = /^[^\p{Cc}]{1,128}$/u;

export function checkDeploymentId(id) {
  if (!DEPLOYMENT_ID.test(id ?? '')) throw new Error('args.deployment_id: must be up to 128 letters, digits, . _ -');
  return id;
}

export function checkVersion(version) {
  if (!VERSION.test(version ?? '')) throw new Error('args.version: must be 1 to 128 characters on one line');
  return String(version);
}

export const releaseOf = (site, id) => join(site, 'releases', id);

/** What is deployed under `id` as `{name, version, deployment}`; undefined: nothing. */
export function deployed(site, id) {
  const file = join(releaseOf(site, id), 'deployment.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/** The id of the release that is served; undefined: none. */
export function served(site) {
  const current = join(site, 'current');
  return existsSync(current) ? basename(readlinkSync(current)) : undefined;
}

export const serve = (site, id) => pointTo(join(site, 'current'), join('releases', id));

/** Builds a version of a deployment and puts it in force in one step: a visitor sees the one before or this one. */
export function release(site, id, { name, version, deployment }) {
  const versions = join(site, 'versions', id);
  const folder = sha256(version).slice(0, 16);
  const built = join(versions, folder);
  mkdirSync(built, { recursive: true });
  mkdirSync(join(site, 'releases'), { recursive: true });
  replaceFile(join(built, 'index.html'), render(id, name, version, deployment, nodeOf(site)));
  replaceFile(join(built, 'deployment.json'), JSON.stringify({ name, version, deployment }));
  pointTo(releaseOf(site, id), join('..', 'versions', id, folder));
  for (const other of readdirSync(versions)) if (other !== folder) rmSync(join(versions, other), { recursive: true });
}

/** Takes a deployment away, all of its versions with it. Cut short, it is done by the next try. */
export function remove(site, id) {
  if (served(site) === id) rmSync(join(site, 'current'));
  rmSync(releaseOf(site, id), { force: true });
  rmSync(join(site, 'versions', id), { recursive: true, force: true });
}

/** A deployment as the device reports it. */
export function reportOf(site, id) {
  const { name, version } = deployed(site, id);
  const state = served(site) === id ? 'running' : 'stopped';
  const page = readFileSync(join(releaseOf(site, id), 'index.html'));
  return { name, version, state, at: new Date().toISOString(), sha256: sha256(page) };
}

const sha256 = (content) => createHash('sha256').update(content).digest('hex');

/** Makes `link` lead to `target`, and there is no moment at which it leads nowhere. */
function pointTo(link, target) {
  const next = `${link}.${process.pid}`;
  rmSync(next, { force: true });
  symlinkSync(target, next);
  renameSync(next, link);
}

/** Who this node is: `MUSTER_NODE_NAME` (else the name of the site's folder) and `MUSTER_NODE_CITY`. */
function nodeOf(site) {
  return { name: process.env.MUSTER_NODE_NAME ?? basename(site), city: process.env.MUSTER_NODE_CITY ?? '' };
}

function render(id, name, version, deployment, node) {
  const title = deployment.title ?? name;
  const deployedAt = new Date().toISOString();
  const rows = { Node: node.name, City: node.city, Deployment: id, Version: version, Deployed: deployedAt };
  const cells = Object.entries(rows)
    .filter(([, value]) => value !== '')
    .map(([label, value]) => `      <tr><th>${label}</th><td>${escape(value)}</td></tr>`);
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>${escape(title)} · ${escape(node.name)}</title>
    <style>
      body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 4rem auto; padding: 0 1rem; }
      th { text-align: left; padding-right: 2rem; font-weight: 600; }
      pre { background: #f4f4f4; padding: 1rem; overflow: auto; }
    </style>
  </head>
  <body>
    <h1>${escape(title)}</h1>
    <table>
${cells.join('\n')}
    </table>
    <h2>As it was asked for</h2>
    <pre>${escape(JSON.stringify(deployment, null, 2))}</pre>
  </body>
</html>
`;
}

function escape(value) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return String(value).replace(/[&<>"']/g, (character) => entities[character]);
}
