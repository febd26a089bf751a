import type { ServiceName } from './services.js';

// Answers come on subjects that the asker chooses. Each user of the bus has a prefix of its own, because who may listen to the clients' common
// one (`_INBOX`) hears the answers to everybody.

/** The prefix of the subjects on which a service gets answers. */
export const serviceInbox = (service: ServiceName): string => `_INBOX_${service}`;

/** The prefix of the subjects on which a device is told that what it published is kept. */
export const deviceInbox = (project: string, device: string): string => `_INBOX_dev.${project}.${device}`;

/** The same for a simulated fleet. */
export const fleetInbox = (project: string): string => deviceInbox(project, 'fleet');

/** The same for another system that reads the events of one project; who may read those of all has the clients' common prefix, `_INBOX`. */
export const readerInbox = (project: string): string => `_INBOX_evt.${project}`;
