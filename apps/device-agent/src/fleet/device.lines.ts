import type { NewDevice } from '@muster/contracts';
import { open } from 'node:fs/promises';
import { UsageError } from '../process/usage.js';
import type { FleetSource } from './fleet.options.js';

/** The devices to register, one NDJSON line (a `NewDevice`) each, without its end. */
export async function* deviceLines(source: FleetSource): AsyncGenerator<string> {
  if ('file' in source) {
    yield* linesOf(source.file);
    return;
  }
  for (let number = 1; number <= source.count; number++) {
    const device: NewDevice = {
      name: `${source.prefix}-${String(number).padStart(5, '0')}`,
      type: 'simulated',
      tags: ['simulated', source.prefix.slice(0, 64)],
    };
    yield JSON.stringify(device);
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const handle = await open(file).catch((error: Error) => {
    throw new UsageError(`--devices-from: ${error.message}`);
  });
  for await (const line of handle.readLines()) if (line.trim() !== '') yield line;
}
