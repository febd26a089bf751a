import { describe, expect, it } from 'vitest';
import { DeviceMemory, newExecution, type Execution } from './device.memory.js';

const execution = (commandId: string, state: Execution['state'] = 'succeeded'): Execution => ({
  ...newExecution(commandId, 1),
  state,
});

describe('given the memory of a simulated device', () => {
  it('when a command is executed again, then the new execution takes the place of the old', () => {
    const memory = new DeviceMemory();
    expect(memory.remember(execution('a', 'failed'))).toBe(false);
    expect(memory.remember({ ...execution('a'), fence: 2 })).toBe(true);
    expect(memory.recall('a')).toMatchObject({ fence: 2, state: 'succeeded' });
  });

  it('when many commands have ended, then it stays small, and keeps those that run and the latest', () => {
    const memory = new DeviceMemory();
    memory.remember(execution('running', 'running'));
    for (let i = 0; i < 1000; i++) memory.remember(execution(`c${i}`));
    const recalled = Array.from({ length: 1000 }, (_, i) => memory.recall(`c${i}`)).filter(Boolean);
    expect(memory.recall('running')).toBeDefined();
    expect(memory.recall('c999')).toBeDefined();
    expect(recalled.length).toBeLessThan(20);
  });
});
