/** Answers every request on a subject at once. */
import { doorOptions } from '@muster/bus-auth/connect';
import { connect } from 'nats';
import { once } from 'node:events';
import { parentPort } from 'node:worker_threads';

const port = parentPort!;
const [{ url, creds, subject }] = (await once(port, 'message')) as [{ url: string; creds: string; subject: string }];
const connection = await connect(doorOptions({ url, creds, inbox: '_INBOX' }));
connection.subscribe(subject, { callback: (_error, message) => void message.respond(message.data) });
await connection.flush();
port.postMessage({});
