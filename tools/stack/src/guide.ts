import type { Demo } from './demo.js';
import type { StackOptions } from './options.js';
import type { Stack } from './stack.js';

/** Where to look next: what runs, and lines to paste. */
export function guide(
  stack: Stack,
  options: StackOptions,
  demo: Demo | undefined,
  sitesUrl: string | undefined,
): string[] {
  const { url, creds, ca } = stack.nats;
  const { hostname, port, username } = new URL(url);
  const door = [`-s ${url}`, ...(creds ? [`--creds ${creds}`] : []), ...(ca ? [`--tlsca ${ca}`] : [])].join(' ');
  const events = `muster.evt.${options.project}.>`;
  const path = demo ? demo.jobUrl : `${stack.gateway}/api/v1/devices`;
  return [
    '',
    `Gateway   ${stack.gateway}`,
    `API       ${stack.gateway}/docs`,
    `Token     ${stack.token}`,
    `NATS      ${url}`,
    ...(demo && sitesUrl
      ? demo.agents.map((node, index) => `${index === 0 ? 'Sites' : '     '}     ${sitesUrl}/${node}/`)
      : []),
    `Data      ${options.dataDir} (logs/ has a log per process, stack.json says all of this)`,
    '',
    'Ask the API:',
    `  curl -s -H 'Authorization: Bearer ${stack.token}' ${path}`,
    'Watch the events:',
    `  nats sub ${door} '${events}'`,
    // Whoever needs neither name nor encryption needs no NATS client either.
    ...(username === '' && !creds && url.startsWith('nats:')
      ? [
          `  (printf 'CONNECT {"verbose":false}\\r\\nSUB ${events} 1\\r\\n'; cat) | curl -sN telnet://${hostname}:${port || 4222}`,
        ]
      : []),
    '',
    'Ctrl-C stops everything.',
  ];
}
