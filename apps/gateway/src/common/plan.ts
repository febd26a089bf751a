/** How long a plan of a rollout may take, in milliseconds: it looks at every device, a million of which take most of a minute. */
export const PLAN_MS = 60_000;
