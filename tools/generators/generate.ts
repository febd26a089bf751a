/**
 * `npm run generate -- service <name>`, `-- event <entity> <service>` or `-- docs`. Prints what was written and what is left to do;
 * exit code 2 when it was asked wrongly.
 */
import { join } from 'node:path';
import { addEvent } from './event/event.ts';
import { addService } from './service/service.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const USAGE = `usage: npm run generate -- docs                       docs/generated, from lifecycles and contracts
       npm run generate -- service <name>             an empty service
       npm run generate -- event <entity> <service>   an entity whose transitions are published`;

const commands: Record<string, { operands: number; run(...operands: string[]): Promise<string[]>; next: string }> = {
  docs: {
    operands: 0,
    // Loaded only here: it reads what was built, and what a generator has just written may not build yet.
    run: async () => (await import('./docs/docs.ts')).writeDocs(),
    next: '',
  },
  service: {
    operands: 1,
    run: (name = '') => addService(ROOT, name),
    next: 'Now: npm install, which links the new package; then the service is part of npm start.',
  },
  event: {
    operands: 2,
    run: (entity = '', service = '') => addEvent(ROOT, entity, service, new Date()),
    next: 'Now: say its states, columns and event data; then npm run generate -- docs.',
  },
};

const [name = '', ...operands] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (!command || operands.length !== command.operands) {
  console.error(USAGE);
  process.exit(2);
}
try {
  const written = await command.run(...operands);
  console.log(written.join('\n'));
  if (command.next) console.log(command.next);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
