export * from './provision.js';
export * from './data-source.js';
export * from './transient.js';
