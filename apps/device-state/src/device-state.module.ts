import { CONFIG, LOGGER, type Logger, type ServiceConfig } from '@muster/service';
import { Module } from '@nestjs/common';
import { DeploymentSearch } from './deployments/deployment.search.js';
import { DeploymentStore } from './deployments/deployment.store.js';
import { DeploymentsRpc } from './deployments/deployments.rpc.js';
import { DeploymentsWork } from './deployments/deployments.work.js';
import { DeviceSearch } from './devices/device.search.js';
import { ConnectionStore } from './connections/connection.store.js';
import { Connections } from './connections/connections.js';
import { ConnectionsListener } from './connections/connections.listener.js';
import { BusKeys } from './credentials/bus.keys.js';
import { CredentialStore } from './credentials/credential.store.js';
import { Credentials } from './credentials/credentials.js';
import { CredentialsRpc } from './credentials/credentials.rpc.js';
import { RevocationsKeeper } from './credentials/revocations.keeper.js';
import { SystemBus } from './credentials/system.bus.js';
import { DeviceStore } from './devices/device.store.js';
import { DevicesRpc } from './devices/devices.rpc.js';
import { DriftStore } from './drift/drift.store.js';
import { DriftWatch } from './drift/drift.watch.js';
import { DriftsRpc } from './drift/drifts.rpc.js';
import { Reconverge } from './drift/reconverge.js';
import { ReconvergeStore } from './drift/reconverge.store.js';
import { GroupStore } from './groups/group.store.js';
import { GroupsRpc } from './groups/groups.rpc.js';
import { OperationsModule } from './operations/operations.module.js';
import { Presence } from './presence/presence.js';
import { PresenceChannels } from './presence/presence.channels.js';
import { PresenceStore } from './presence/presence.store.js';
import { PresenceSweep } from './presence/presence.sweep.js';
import { PresenceTimes } from './presence/presence.times.js';
import { TimelineRetention } from './timeline/timeline.retention.js';
import { TimelineRpc } from './timeline/timeline.rpc.js';
import { TimelineStore } from './timeline/timeline.store.js';
import { WaitingRpc } from './waiting/waiting.rpc.js';
import { WaitingStore } from './waiting/waiting.store.js';

/** What is out there, what it should be, what it is. */
@Module({
  imports: [OperationsModule],
  controllers: [
    CredentialsRpc,
    DeploymentsRpc,
    DeploymentsWork,
    DevicesRpc,
    DriftsRpc,
    GroupsRpc,
    PresenceChannels,
    TimelineRpc,
    WaitingRpc,
  ],
  providers: [
    Connections,
    ConnectionsListener,
    ConnectionStore,
    Credentials,
    CredentialStore,
    RevocationsKeeper,
    {
      provide: BusKeys,
      useFactory: (config: ServiceConfig) => BusKeys.read(process.env, config),
      inject: [CONFIG],
    },
    {
      provide: SystemBus,
      useFactory: (keys: BusKeys, config: ServiceConfig, logger: Logger) => SystemBus.open(keys, config, logger),
      inject: [BusKeys, CONFIG, LOGGER],
    },
    DeploymentSearch,
    DeploymentStore,
    DeviceSearch,
    DeviceStore,
    DriftStore,
    DriftWatch,
    GroupStore,
    Presence,
    PresenceStore,
    PresenceSweep,
    Reconverge,
    ReconvergeStore,
    TimelineRetention,
    TimelineStore,
    WaitingStore,
    { provide: PresenceTimes, useFactory: () => PresenceTimes.read(process.env) },
  ],
})
export class DeviceStateModule {}
