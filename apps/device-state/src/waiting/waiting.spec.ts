import { WAITS } from '@muster/contracts';
import { isEnd } from '@muster/lifecycle';
import { describe, expect, it } from 'vitest';
import { waitsFor as partWaitsFor } from '../device-operations/device-operation.document.js';
import { deviceOperationLifecycle } from '../device-operations/device-operation.lifecycle.js';
import { waitsFor } from '../operations/operation.decide.js';
import { operationLifecycle } from '../operations/operation.lifecycle.js';

describe('what anything waits for', () => {
  it.each(Object.keys(operationLifecycle.states) as (keyof typeof operationLifecycle.states)[])(
    'given an operation that is %s, then it has ended or there is a word for it',
    (state) => {
      if (isEnd(operationLifecycle, state)) expect(waitsFor[state]).toBeUndefined();
      else expect(WAITS).toContain(waitsFor[state]);
    },
  );

  it.each(Object.keys(deviceOperationLifecycle.states) as (keyof typeof deviceOperationLifecycle.states)[])(
    'given a device operation that is %s, then it has ended or there is a word for it',
    (state) => {
      if (isEnd(deviceOperationLifecycle, state)) expect(partWaitsFor[state]).toBeUndefined();
      else expect(WAITS).toContain(partWaitsFor[state]);
    },
  );
});
