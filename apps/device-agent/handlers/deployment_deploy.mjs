#!/usr/bin/env node
// Deploys a release of a static site: <MUSTER_SITE_DIR>/releases/<deployment_id>/, then <MUSTER_SITE_DIR>/current
// points to it. Deploying the same release again changes nothing but, if need be, that pointer.
import { join } from 'node:path';
import {
  checkDeploymentId,
  checkVersion,
  deployed,
  release,
  releaseOf,
  reportOf,
  serve,
  served,
} from './lib/deployments.mjs';
import { progress, runHandler, siteFolder } from './lib/handler.mjs';

const FIRST_VERSION = '1.0.0';

await runHandler(({ command_id, args }) => {
  const { deployment = {} } = args;
  const id = checkDeploymentId(args.deployment_id ?? command_id);
  const version = checkVersion(args.version ?? deployment.version ?? FIRST_VERSION);
  const name = args.name ?? deployment.name ?? args.job_name ?? id;
  const site = siteFolder();
  progress(10);

  if (!deployed(site, id)) release(site, id, { name, version, deployment });
  progress(60);

  const previous = served(site);
  if (previous !== id) serve(site, id);
  progress(100);

  const report = reportOf(site, id);
  const deployments = { [id]: report };
  // One release is served at a time: the one before is no longer reported (null removes, RFC 7396).
  if (previous !== undefined && previous !== id) deployments[previous] = null;
  const path = join(releaseOf(site, id), 'index.html');
  return { deployment_id: id, version: report.version, path, sha256: report.sha256, reported: { deployments } };
});
