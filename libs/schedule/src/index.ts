export * from './faults.js';
export * from './window.js';
