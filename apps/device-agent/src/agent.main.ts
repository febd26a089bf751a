import { Agent } from './agent/agent.js';
import { readAgentOptions } from './agent/agent.options.js';
import { jsonLog } from './agent/log.js';
import { runProgram, tellReady } from './process/lifetime.js';

await runProgram(async (stop) => {
  const options = readAgentOptions(process.argv.slice(2), process.env);
  const log = jsonLog({ device: options.device });
  const agent = new Agent(options, log);
  const started = agent.start().then(tellReady);
  const reason = await Promise.race([stop, started.then(() => stop)]);
  log('info', 'stopping', { reason });
  started.catch(() => undefined);
  await agent.stop();
});
