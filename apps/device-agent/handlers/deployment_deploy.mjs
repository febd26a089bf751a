#!/usr/bin/env node
// Deploys a release of a static site: <MUSTER_SITE_DIR>/releases/<deployment_id>/, then <MUSTER_SITE_DIR>/current
// points to it. Deploying the same release again changes nothing but, if need be, that pointer.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { progress, replaceFile, runHandler, siteFolder } from './lib/handler.mjs';

const DEPLOYMENT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

await runHandler(({ args }) => {
  const { deployment_id: id, deployment = {} } = args;
  if (!DEPLOYMENT_ID.test(id ?? '')) throw new Error('args.deployment_id: is required, letters, digits, . _ -');
  const site = siteFolder();
  const release = join(site, 'releases', id);
  const page = join(release, 'index.html');
  progress(10);

  mkdirSync(release, { recursive: true });
  if (!existsSync(page)) replaceFile(page, render(id, deployment, nodeOf(site)));
  const sha256 = createHash('sha256').update(readFileSync(page)).digest('hex');
  progress(60);

  const previous = switchTo(site, id);
  progress(100);

  const deployments = { [id]: { state: 'running', at: new Date().toISOString(), sha256 } };
  // One release is served at a time: the one before is no longer reported (null removes, RFC 7396).
  if (previous !== undefined && previous !== id) deployments[previous] = null;
  return { deployment_id: id, path: page, sha256, reported: { deployments } };
});

/** Points `current` to a release in one step, so that the site is never without one. Answers the release before. */
function switchTo(site, id) {
  const current = join(site, 'current');
  const previous = existsSync(current) ? basename(readlinkSync(current)) : undefined;
  if (previous === id) return previous;
  const next = `${current}.${process.pid}`;
  rmSync(next, { force: true });
  symlinkSync(join('releases', id), next);
  renameSync(next, current);
  return previous;
}

/** Who this node is: `MUSTER_NODE_NAME` (else the name of the site's folder) and `MUSTER_NODE_CITY`. */
function nodeOf(site) {
  return { name: process.env.MUSTER_NODE_NAME ?? basename(site), city: process.env.MUSTER_NODE_CITY ?? '' };
}

function render(id, deployment, node) {
  const title = deployment.title ?? deployment.name ?? id;
  const rows = { Node: node.name, City: node.city, Deployment: id, Deployed: new Date().toISOString() };
  const cells = Object.entries(rows)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `      <tr><th>${name}</th><td>${escape(value)}</td></tr>`);
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
