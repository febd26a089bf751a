import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const app = fileURLToPath(new URL('../', import.meta.url));
const page = readFileSync(join(app, '../../docs/devices.md'), 'utf8');

describe('given the example devices', () => {
  it.each([
    ['python', 'first_device.py'],
    ['python', 'device.py'],
    ['sh', 'device.sh'],
  ])('when one reads the page about devices, then it shows the %s file %s as it is', (language, name) => {
    const file = readFileSync(join(app, 'examples', name), 'utf8');
    expect(page).toContain(`\n\`\`\`${language}\n${file}\`\`\`\n`);
  });

  it('when a shell reads the one in shell, then it finds no mistake', () => {
    const { status, stderr } = spawnSync('sh', ['-n', join(app, 'examples', 'device.sh')], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
