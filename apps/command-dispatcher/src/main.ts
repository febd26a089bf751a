import { runService } from '@muster/service';
import { CommandDispatcherModule } from './command-dispatcher.module.js';
import { entities, migrations } from './schema.js';

await runService({ service: 'command-dispatcher', module: CommandDispatcherModule, entities, migrations });
