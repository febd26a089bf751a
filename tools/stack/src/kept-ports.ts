import { readFile } from 'node:fs/promises';
import { portIsFree } from '@muster/servers';
import { writePrivate } from './private-file.js';

/** The ports of the bus. Devices know them by heart, so a stack that starts again takes the same ones. */
export interface BusPorts {
  port: number;
  mqttPort: number;
}

const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536;

/** The ports of the last run, unless they are unknown or taken. */
export async function keptPorts(file: string): Promise<BusPorts | undefined> {
  try {
    const { port, mqttPort } = JSON.parse(await readFile(file, 'utf8')) as Partial<BusPorts>;
    if (!isPort(port) || !isPort(mqttPort) || port === mqttPort) return undefined;
    return (await portIsFree(port)) && (await portIsFree(mqttPort)) ? { port, mqttPort } : undefined;
  } catch {
    // Without a file that can be read this is like a first start.
    return undefined;
  }
}

export const keepPorts = (file: string, { port, mqttPort }: BusPorts) => writePrivate(file, { port, mqttPort });
