#!/usr/bin/env node
// Removes what deployment_deploy has made; if it is the release that is served, then none is after that. Removing what is
// not there changes nothing, and is a success: it may have been removed before.
import { checkDeploymentId, deployed, remove } from './lib/deployments.mjs';
import { progress, runHandler, siteFolder } from './lib/handler.mjs';

await runHandler(({ args }) => {
  const id = checkDeploymentId(args.deployment_id);
  const site = siteFolder();
  const before = deployed(site, id)?.version;
  progress(10);

  remove(site, id);
  progress(100);
  return { before, deployment_id: id, reported: { deployments: { [id]: null } } };
});
