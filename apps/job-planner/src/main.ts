import { runService } from '@muster/service';
import { JobPlannerModule } from './job-planner.module.js';
import { entities, migrations } from './schema.js';

await runService({ service: 'job-planner', module: JobPlannerModule, entities, migrations });
