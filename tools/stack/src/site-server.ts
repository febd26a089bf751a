import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

/** The file that a request path names, or undefined when there is none inside the node's folder. */
async function resolveFile(sites: string, path: string): Promise<string | undefined> {
  try {
    const [node = '', ...rest] = decodeURIComponent(path).split('/').filter(Boolean);
    // Real paths, because `current` is a link: what it leads to has to lie in the node's own folder all the same.
    const folder = await realpath(join(sites, node));
    if (!folder.startsWith((await realpath(sites)) + sep)) return undefined;
    const file = await realpath(join(folder, 'current', ...rest, ...(path.endsWith('/') ? ['index.html'] : [])));
    return file.startsWith(folder + sep) && (await stat(file)).isFile() ? file : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Serves what the nodes deployed: `/<node>/` is the folder `<sites>/<node>/current`.
 * @returns its URL on 127.0.0.1, and what ends it.
 */
export async function serveSites(sites: string): Promise<{ url: string; close: () => void }> {
  const server = createServer((request, response) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
      const file = request.method === 'GET' ? await resolveFile(sites, pathname) : undefined;
      if (!file) {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('nothing is deployed here\n');
        return;
      }
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
      await pipeline(createReadStream(file), response);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
