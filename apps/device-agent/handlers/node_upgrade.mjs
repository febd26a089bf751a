#!/usr/bin/env node
// Upgrades the node: <MUSTER_SITE_DIR>/version holds the version that is installed. Upgrading to that version again,
// or to none in particular, leaves it as it is.
import { progress, runHandler, siteFolder } from './lib/handler.mjs';
import { installVersion } from './lib/node-version.mjs';

await runHandler(({ args }) => {
  progress(50);
  // A batch job gives its task_data as `upgrade`.
  const { before, after } = installVersion(siteFolder(), args.version ?? args.upgrade?.version);
  progress(100);
  return { before, after, reported: { version: after } };
});
