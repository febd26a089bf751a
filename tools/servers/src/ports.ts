import { createServer } from 'node:net';

const HOST = '127.0.0.1';

const tryListen = (port: number) =>
  new Promise<number>((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: HOST, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });

/** A TCP port of 127.0.0.1 that was free a moment ago, chosen by the operating system. */
export const freePort = (): Promise<number> => tryListen(0);

/** Whether a listener could be opened on 127.0.0.1:`port`. */
export async function portIsFree(port: number): Promise<boolean> {
  try {
    await tryListen(port);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}
