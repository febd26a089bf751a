import { deviceLines } from './fleet/device.lines.js';
import type { EndLine, ExecutionLine } from './fleet/execution.lines.js';
import { Fleet } from './fleet/fleet.js';
import { FLEET_USAGE, readFleetOptions } from './fleet/fleet.options.js';
import { LineLog } from './fleet/line.log.js';
import { registerDevices } from './fleet/registration.js';
import type { DeviceIdentity } from './fleet/simulated-device.js';
import { runProgram, tellReady } from './process/lifetime.js';

const SUMMARY_EVERY_MS = 10_000;

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const warn = (line: string) => process.stderr.write(`${line}\n`);

const summarize = (fleet: Fleet) =>
  say({ at: new Date().toISOString(), ...fleet.counts, rss_mb: Math.round(process.memoryUsage.rss() / 2 ** 20) });

async function startFleet(args: string[]): Promise<Fleet> {
  const { source, gateway, token, executions, ends, ...options } = readFleetOptions(args, process.env);
  const executionLog =
    executions === undefined ? undefined : await LineLog.open<ExecutionLine>(executions, '--executions');
  const endLog = ends === undefined ? undefined : await LineLog.open<EndLine>(ends, '--ends');
  const devices: DeviceIdentity[] = [];
  const refused = (line: number, message: string) => warn(`device of line ${line} left out: ${message}`);
  for await (const device of registerDevices(deviceLines(source), { gateway, token, refused })) devices.push(device);
  if (devices.length === 0) throw new Error('no device was registered');
  return Fleet.start({ ...options, devices, executionLog, endLog, warn });
}

await runProgram(async (stop) => {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    process.stdout.write(FLEET_USAGE);
    return;
  }
  const starting = startFleet(args);
  const fleet = await Promise.race([starting, stop.then(() => undefined)]);
  if (!fleet) return;
  const { devices, online } = fleet.counts;
  say({ ready: true, devices, online });
  tellReady();
  const summaries = setInterval(() => summarize(fleet), SUMMARY_EVERY_MS);
  await stop;
  clearInterval(summaries);
  await fleet.stop();
  summarize(fleet);
});
