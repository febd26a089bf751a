import { vi } from 'vitest';

/** How long a test waits for a condition unless it says otherwise: one second, the runner's own limit, is short on a busy machine. */
const PATIENCE_MS = 15_000;

type Options = Parameters<typeof vi.waitUntil>[1];

const patient = (options: Options): Options =>
  typeof options === 'number' ? options : { timeout: PATIENCE_MS, ...options };

const { waitFor, waitUntil } = vi;
vi.waitFor = (callback, options) => waitFor(callback, patient(options));
vi.waitUntil = (callback, options) => waitUntil(callback, patient(options));
