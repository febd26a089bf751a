/** Asks for a path over several connections for as long as it is told, each connection one request after the other. */
import { parentPort } from 'node:worker_threads';
import { Pool } from 'undici';

export interface HttpLoad {
  url: string;
  path: string;
  token: string;
  connections: number;
  ms: number;
}

export interface HttpResult {
  /** Milliseconds of each request that was answered with 200. */
  latencies: Float64Array;
  seconds: number;
  /** The first other status, or 0. */
  refused: number;
}

const port = parentPort!;

async function load({ url, path, token, connections, ms }: HttpLoad): Promise<HttpResult> {
  const pool = new Pool(url, { connections, headersTimeout: 10_000, bodyTimeout: 10_000 });
  const latencies: number[] = [];
  let refused = 0;
  const began = performance.now();
  const ask = async () => {
    for (let now = began; now - began < ms && refused === 0;) {
      const { statusCode, body } = await pool.request({
        path,
        method: 'GET',
        headers: { authorization: `Bearer ${token}` },
      });
      await body.dump({ limit: Infinity });
      const end = performance.now();
      if (statusCode === 200) latencies.push(end - now);
      else refused = statusCode;
      now = end;
    }
  };
  await Promise.all(Array.from({ length: connections }, ask));
  const seconds = (performance.now() - began) / 1000;
  await pool.close();
  return { latencies: Float64Array.from(latencies), seconds, refused };
}

port.on('message', (question: HttpLoad) => {
  void load(question).then((answer) => port.postMessage(answer));
});
