#!/usr/bin/env node
// Upgrades what deployment_deploy has made: builds the new version beside the old one and then puts it in force in one
// step. Upgrading to the version that is in force changes nothing.
import { checkDeploymentId, checkVersion, deployed, release, reportOf } from './lib/deployments.mjs';
import { Failure, progress, runHandler, siteFolder } from './lib/handler.mjs';

await runHandler(({ args }) => {
  const { upgrade = {} } = args;
  const id = checkDeploymentId(args.deployment_id);
  const after = checkVersion(args.version ?? upgrade.version);
  const site = siteFolder();
  const present = deployed(site, id);
  if (!present) throw new Failure('unknown_deployment', `deployment ${id} does not exist here`);
  progress(10);

  const before = present.version;
  const deployment = { ...present.deployment, ...upgrade, ...args.deployment };
  if (after !== before) release(site, id, { name: args.name ?? present.name, version: after, deployment });
  progress(100);
  return { before, after, deployment_id: id, reported: { deployments: { [id]: reportOf(site, id) } } };
});
