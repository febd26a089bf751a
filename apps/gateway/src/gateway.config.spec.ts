import { describe, expect, it } from 'vitest';
import { readGatewayConfig } from './gateway.config.js';

const adminToken = 'sixteen-letters!';

describe('given the environment of the gateway', () => {
  it('when it is whole, then it is read, with demo as the project unless told', () => {
    expect(readGatewayConfig({ MUSTER_ADMIN_TOKEN: adminToken })).toEqual({ adminToken, project: 'demo' });
    const env = { MUSTER_ADMIN_TOKEN: adminToken, MUSTER_PROJECT: 'acme-1' };
    expect(readGatewayConfig(env)).toEqual({ adminToken, project: 'acme-1' });
  });

  it.each([
    [{}, 'MUSTER_ADMIN_TOKEN'],
    [{ MUSTER_ADMIN_TOKEN: 'fifteen-letters' }, 'MUSTER_ADMIN_TOKEN'],
    [{ MUSTER_ADMIN_TOKEN: 'with a blank in the middle' }, 'MUSTER_ADMIN_TOKEN'],
    [{ MUSTER_ADMIN_TOKEN: adminToken, MUSTER_PROJECT: 'Not A Slug' }, 'MUSTER_PROJECT'],
  ])('when it is %j, then the error names the variable and does not repeat a token', (env, name) => {
    const read = () => readGatewayConfig(env);
    expect(read).toThrow(name);
    expect(read).not.toThrow('letters');
  });
});
