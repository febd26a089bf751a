import { DeviceEntity } from './devices/device.entity.js';
import { Devices1700000001000 } from './migrations/1700000001000-devices.js';

/** What the service keeps, and how its schema came to be. */
export const entities = [DeviceEntity];
export const migrations = [Devices1700000001000];
