#!/usr/bin/env node
// Reboots the machine by `systemctl reboot`, or by the command that MUSTER_REBOOT_COMMAND names. What comes of it, the
// next boot says: `reboot` asks the agent to write that down, and nothing happens before it has.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { runHandler } from './lib/handler.mjs';

const NOTES = 3;

await runHandler(() => {
  console.log('reboot');
  if (readFileSync(NOTES, 'utf8') !== 'noted\n') throw new Error('the agent could not note the reboot');
  const command = process.env.MUSTER_REBOOT_COMMAND ?? 'systemctl reboot';
  const { status, signal, stderr } = spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${stderr.trim() || `ended with ${signal ?? status}`}`);
});
