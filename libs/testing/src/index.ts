export { testPostgres, type TestPostgres } from './postgres.js';
export { default as offerServers } from './global-setup.js';
export { makeScratch, postgresFolder, removeScratch } from './scratch.js';
export { testNats, type TestNats } from './nats.js';
