import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './durable-file.js';

const KERNEL_BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** The id of the machine's current boot: `told`, else the kernel's; without one, an id made at the agent's first start. */
export function bootId(stateDir: string, told?: string): string {
  if (told !== undefined) return told;
  if (existsSync(KERNEL_BOOT_ID)) return readFileSync(KERNEL_BOOT_ID, 'utf8').trim();
  const own = join(stateDir, 'boot_id');
  if (!existsSync(own)) writeDurably(own, randomUUID());
  return readFileSync(own, 'utf8');
}
