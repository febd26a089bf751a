import { NatsError } from 'nats';

const NOT_FOUND = 404;

/**
 * What the server says of a stream or a consumer; undefined when it says that there is none.
 * @throws when it cannot be told: what is made then may be there, and would be taken for new.
 */
export async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof NatsError && error.api_error?.code === NOT_FOUND) return undefined;
    throw error;
  }
}
