/** Answers every request on a subject at once. */
import { connect } from 'nats';
import { once } from 'node:events';
import { parentPort } from 'node:worker_threads';

const port = parentPort!;
const [{ url, subject }] = (await once(port, 'message')) as [{ url: string; subject: string }];
const connection = await connect({ servers: url });
connection.subscribe(subject, { callback: (_error, message) => void message.respond(message.data) });
await connection.flush();
port.postMessage({});
