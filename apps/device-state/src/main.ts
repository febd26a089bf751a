import { runService } from '@muster/service';
import { DeviceStateModule } from './device-state.module.js';
import { entities, migrations } from './schema.js';

await runService({ service: 'device-state', module: DeviceStateModule, entities, migrations });
