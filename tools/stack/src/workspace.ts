import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the clone; this file lies in tools/stack/dist of it. */
const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** Where the scripts of services, fleet and agents are built. */
export const APPS = join(ROOT, 'apps');
export const DEFAULT_INVENTORY = join(ROOT, 'tools', 'inventory', 'edge-sites.json');

export const serviceScript = (service: string): string => join(APPS, service, 'dist', 'main.js');
export const FLEET_SCRIPT = join(APPS, 'device-agent', 'dist', 'fleet.main.js');
export const AGENT_SCRIPT = join(APPS, 'device-agent', 'dist', 'agent.main.js');
export const HANDLERS = join(APPS, 'device-agent', 'handlers');
