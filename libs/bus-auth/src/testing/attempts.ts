import { Events, headers, type NatsConnection } from 'nats';

/** The subjects that the bus has refused to a connection, in order. */
export function refusals(connection: NatsConnection): string[] {
  const refused: string[] = [];
  void (async () => {
    for await (const { type, permissionContext } of connection.status())
      if (type === Events.Error && permissionContext) refused.push(permissionContext.subject);
  })();
  return refused;
}

/** Publishes, and waits until the bus has judged it. */
export async function tryPublish(connection: NatsConnection, subject: string, reply?: string): Promise<void> {
  connection.publish(subject, '{}', { headers: headers(), ...(reply && { reply }) });
  await connection.flush();
}

/** Whether the bus lets the connection subscribe. */
export async function maySubscribe(connection: NatsConnection, subject: string): Promise<boolean> {
  let refused = false;
  const subscription = connection.subscribe(subject, { callback: (error) => void (refused ||= error !== null) });
  await connection.flush();
  subscription.unsubscribe();
  return !refused;
}
