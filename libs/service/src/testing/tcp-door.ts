import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A way to a TCP server that can be shut, as if the server were gone, and opened again at the same address. */
export class TcpDoor {
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;

  private constructor(private readonly target: URL) {}

  static async to(url: string): Promise<TcpDoor> {
    const door = new TcpDoor(new URL(url));
    await door.open();
    return door;
  }

  /** The URL that leads through the door. */
  get url(): string {
    const url = new URL(this.target);
    url.port = String(this.port);
    return url.href;
  }

  async open(): Promise<void> {
    const server = createServer((near) => {
      const far = connect({ host: this.target.hostname, port: Number(this.target.port) });
      for (const socket of [near, far]) {
        this.sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Cuts off whoever is connected and refuses everybody else. */
  async shut(): Promise<void> {
    const { server } = this;
    if (!server) return;
    this.server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}
