/** Injection tokens of what every service is given. */
export const NATS = Symbol('NatsConnection');
export const LOGGER = Symbol('Logger');
export const CONFIG = Symbol('ServiceConfig');
