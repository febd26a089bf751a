/** A server process that was started and accepts connections. */
export interface Server {
  /** How clients reach it, credentials included. */
  readonly url: string;
  /** TCP port on 127.0.0.1. */
  readonly port: number;
  readonly pid: number;
  /** Settles when the process has ended, wanted or not, with how it ended (`exit code 1`, `SIGKILL`). */
  readonly exited: Promise<string>;
  /** Ends it gracefully, by force after a bounded wait. */
  stop(): Promise<void>;
}
