import { DomainError } from '@muster/contracts';
import { describe, expect, it } from 'vitest';
import { breachesByDevice, summaryOf } from './breaches.js';

describe('given a registration that was refused', () => {
  it('when fields of devices are named, then each device has its own, spelled as in its document', () => {
    const errors = [
      { field: 'devices.0.device.timezone', message: 'is odd' },
      { field: 'devices.12.device.attributes.a', message: 'is large' },
      { field: 'devices.0.device.name', message: 'is long' },
      { field: 'project_id', message: 'is foreign' },
    ];
    const breaches = breachesByDevice(new DomainError('invalid', 'no', { errors }));
    expect([...breaches.keys()]).toEqual([0, 12]);
    expect(summaryOf(breaches.get(0)!)).toBe('timezone: is odd; name: is long');
    expect(breaches.get(12)).toEqual([{ field: 'attributes.a', message: 'is large' }]);
  });

  it('when no field is named, then no device is to blame', () => {
    expect(breachesByDevice(new DomainError('invalid', 'no')).size).toBe(0);
  });
});
