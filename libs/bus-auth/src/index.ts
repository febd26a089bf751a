export { makeKeys, type BusKeys } from './keys.js';
export { encodeAccount, findAccount, pushAccount, type AccountRules, type Revocations } from './account.js';
export {
  administratorUser,
  deviceUser,
  fleetUser,
  publicKeyOf,
  readerUser,
  serviceUser,
  systemUser,
  type DeviceUser,
  type Signer,
} from './users.js';
export { accountOf, deviceOfUser, deviceUserName } from './names.js';
export {
  devicePermissions,
  fleetPermissions,
  mqttPermissions,
  readerPermissions,
  servicePermissions,
  systemPermissions,
  type Permissions,
} from './permissions.js';
