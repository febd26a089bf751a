import type { RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';

/** Lets runs go on at once to which something happened; a sweep finds those that it was not told of. */
@Injectable()
export class RunWake {
  private listener: (key: RunnerKey) => void = () => undefined;

  /** Who is told. */
  listen(listener: (key: RunnerKey) => void): void {
    this.listener = listener;
  }

  wake(key: RunnerKey): void {
    this.listener(key);
  }
}
