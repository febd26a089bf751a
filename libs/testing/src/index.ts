export { testPostgres, type TestPostgres } from './postgres.js';
export { testNats, type TestNats } from './nats.js';
