/** Every move that there is (interfaces §2). A stage run is never left queued or complete, so that nothing else can happen to it there. */
export const MOVES = {
  run: [
    ...['pending → queued', 'pending → cancelled', 'pending → timeout'],
    ...['queued → processing', 'queued → cancelled', 'queued → timeout'],
    ...['processing → running', 'processing → invalid', 'processing → cancelled', 'processing → timeout'],
    ...['running → waiting', 'running → complete', 'running → cancelled', 'running → timeout'],
    ...['waiting → running', 'waiting → cancelled', 'waiting → timeout'],
    ...['complete → success', 'complete → failure'],
  ],
  stage: [
    ...['pending → queued', 'pending → cancelled', 'pending → timeout', 'queued → processing'],
    ...['processing → running', 'processing → invalid', 'processing → cancelled', 'processing → timeout'],
    ...['running → complete', 'running → cancelled', 'running → timeout'],
    ...['complete → success', 'complete → failure'],
  ],
  target: [
    ...['pending → queued', 'pending → cancelled', 'pending → timeout', 'pending → invalid'],
    ...['queued → processing', 'queued → cancelled', 'queued → timeout'],
    ...['processing → dispatched', 'processing → cancelled', 'processing → timeout'],
    ...['dispatched → running', 'dispatched → complete', 'dispatched → timeout'],
    ...['running → complete', 'running → timeout', 'complete → success', 'complete → failure'],
  ],
} as const;

/** Where things stand, as far as actions tell it apart. */
export const STANDS = {
  run: [
    ...['pending', 'queued', 'processing', 'running', 'running, to wait', 'running, stopping', 'waiting'],
    ...['complete', 'success', 'failure', 'cancelled', 'timeout', 'invalid'],
  ],
  stage: [
    ...['pending', 'processing', 'running', 'running, stopping'],
    ...['success', 'failure', 'cancelled', 'timeout', 'invalid'],
  ],
  target: [
    ...['pending', 'queued', 'processing', 'dispatched', 'running', 'running, stopping'],
    ...['success', 'failure', 'cancelled', 'timeout', 'invalid'],
  ],
} as const;
