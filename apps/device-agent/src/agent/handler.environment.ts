import { delimiter, dirname } from 'node:path';

const NAMES: readonly string[] = ['HOME', 'LANG', 'TZ', 'TMPDIR', 'MUSTER_REBOOT_COMMAND'];
const PREFIXES = ['MUSTER_SITE_', 'MUSTER_NODE_'];

/**
 * The environment of a handler: of the agent's own only what is listed here, because the rest may hold secrets. `PATH` leads with
 * the agent's Node, which scripts that start with `#!/usr/bin/env node` then run on.
 */
export function handlerEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const passed = Object.entries(env).filter(
    ([name]) => NAMES.includes(name) || PREFIXES.some((prefix) => name.startsWith(prefix)),
  );
  const path = [dirname(process.execPath), env['PATH']].filter(Boolean).join(delimiter);
  return { ...Object.fromEntries(passed), PATH: path };
}
