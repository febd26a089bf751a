export * from './faults.js';
export * from './window.js';
export * from './first-opening.js';
export * from './retry-pause.js';
export * from './rollout-window.js';
