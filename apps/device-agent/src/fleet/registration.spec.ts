import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { deviceLines } from './device.lines.js';
import { registerDevices } from './registration.js';

describe('given a gateway', () => {
  let close: () => Promise<void> = async () => undefined;
  afterEach(() => close());

  async function gateway(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer(answer).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    close = async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function register(url: string, lines: AsyncIterable<string> = deviceLines({ count: 3, prefix: 'n' })) {
    const refusals: string[] = [];
    const refused = (line: number, message: string) => refusals.push(`${line} ${message}`);
    const devices = [];
    for await (const device of registerDevices(lines, { gateway: url, token: 't', refused })) devices.push(device);
    return { devices, refusals };
  }

  /** Answers each line as it comes, before the next has been sent. */
  async function echo(request: IncomingMessage, response: ServerResponse) {
    response.writeHead(request.headers.authorization === 'Bearer t' ? 200 : 401);
    let line = 0;
    for await (const text of createInterface({ input: request })) {
      const { name } = JSON.parse(text) as { name: string };
      const taken = { line: ++line, status: line === 1 ? 'exists' : 'created', id: `id-${name}`, name };
      response.write(`${JSON.stringify(line === 2 ? { line, status: 'error', message: 'name: too odd' } : taken)}\n`);
    }
    response.end();
  }

  it('when lines are streamed, then each device that is there is answered, new or not, and refusals are told', async () => {
    expect(await register(await gateway((request, response) => void echo(request, response)))).toEqual({
      devices: [
        { id: 'id-n-00001', name: 'n-00001' },
        { id: 'id-n-00003', name: 'n-00003' },
      ],
      refusals: ['2 name: too odd'],
    });
  });

  it('when there are more lines than any buffer holds, then both ways flow at once', async () => {
    const url = await gateway((request, response) => void echo(request, response));
    expect((await register(url, deviceLines({ count: 20_000, prefix: 'n' }))).devices).toHaveLength(19_999);
  });

  it('when the request is refused, then the reason is passed on', async () => {
    const url = await gateway((_request, response) => {
      response
        .writeHead(401, { 'content-type': 'application/problem+json' })
        .end('{"title":"Unauthorized","detail":"token is unknown"}');
    });
    await expect(register(url)).rejects.toThrow(`${url}/api/v1/devices/bulk: 401 token is unknown`);
  });

  it('when the answer breaks off, then that is an error and not the end', async () => {
    const url = await gateway((_request, response) => {
      response.writeHead(200);
      response.write('{"line":1,"status":"created","id":"a","name":"n-00001"}\n', () => response.destroy());
    });
    await expect(register(url)).rejects.toThrow();
  });

  it('when nobody listens, then the error names the address', async () => {
    const url = await gateway(() => undefined);
    await close();
    await expect(register(url)).rejects.toThrow(`${url}/api/v1/devices/bulk: connect ECONNREFUSED`);
  });

  it('when the file of devices cannot be read, then the error is about the file', async () => {
    const url = await gateway((request, response) => void echo(request, response));
    await expect(register(url, deviceLines({ file: '/no/such/file' }))).rejects.toThrow('--devices-from: ENOENT');
  });
});
