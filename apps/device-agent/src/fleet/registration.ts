import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { DeviceIdentity } from './simulated-device.js';

/** The gateway's answer to one line (interfaces §6). `exists`: the name was taken, `id` is the device that has it. */
interface RegistrationLine {
  line: number;
  status: 'created' | 'exists' | 'error';
  id?: string;
  name?: string;
  message?: string;
}

export interface RegistrationOptions {
  /** URL of the gateway. */
  gateway: string;
  token: string;
  /** Called for each line that the gateway refused. */
  refused: (line: number, message: string) => void;
}

/** Longest that the gateway may stay silent, in milliseconds. */
const SILENCE_MS = 60_000;
const LONGEST_PROBLEM = 64 * 1024;

/**
 * Registers devices by streaming their lines through the gateway, and answers those that are there, new or not.
 * @throws with the gateway's reason when it refuses the request, or cannot be reached.
 */
export async function* registerDevices(
  lines: AsyncIterable<string>,
  { gateway, token, refused }: RegistrationOptions,
): AsyncGenerator<DeviceIdentity> {
  const url = new URL('/api/v1/devices/bulk', gateway);
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
  });
  request.setTimeout(SILENCE_MS, () => request.destroy(new Error(`no answer for ${SILENCE_MS / 1000} s`)));
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', (error) => reject(new Error(`${url.href}: ${describe(error)}`)));
  });
  // Both ways at once: the gateway answers the first lines before it has the last.
  const sent = pipeline(Readable.from(ended(lines)), request);
  // A refusal closes the request early; the answer tells why.
  const failure = sent.then(() => undefined).catch((error: unknown) => error);

  const response = await answered.catch(async (error: unknown) => {
    const sending = await failure;
    // What stopped the lines themselves (an unreadable file) is the reason of everything that follows.
    throw sending instanceof Error && !('code' in sending) ? sending : error;
  });
  if (response.statusCode !== 200) throw new Error(`${url.href}: ${response.statusCode} ${await problem(response)}`);
  for await (const text of linesOf(response)) {
    const { line, status, id, name, message } = JSON.parse(text) as RegistrationLine;
    if (status === 'error' || id === undefined || name === undefined) refused(line, message ?? 'no reason given');
    else yield { id, name };
  }
  const stopped = await failure;
  if (stopped) throw stopped as Error;
}

async function* ended(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}

/** The lines of a response. (A readline interface would not pass on that the connection broke.) */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let begun = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const [first = '', ...rest] = (chunk as string).split('\n');
    begun += first;
    for (const next of rest) {
      if (begun.trim() !== '') yield begun;
      begun = next;
    }
  }
  if (begun.trim() !== '') yield begun;
}

const describe = (error: Error & { code?: string }) => error.message || error.code || 'failed';

/** What a refusal says of itself: a problem document (RFC 9457), or its beginning. */
async function problem(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk as string;
    if (text.length > LONGEST_PROBLEM) break;
  }
  try {
    const { detail, title } = JSON.parse(text) as { detail?: string; title?: string };
    return detail ?? title ?? '';
  } catch {
    return text.slice(0, 200);
  }
}
