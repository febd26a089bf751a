/**
 * `node tools/run.mjs <script> [args…]` runs a built script of this workspace from any state of a clone: it installs what the
 * lockfile says when it is not installed, builds what changed, and then runs the script with the Node that the lockfile brings.
 *
 * It runs before anything is installed: Node 20 or newer, no dependencies. Whatever it has to say goes to stderr, so that stdout is
 * the script's alone.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const binaries = join(root, 'node_modules', '.bin');
/** Oldest major version that runs the product; this script alone gets by with less. */
const OLDEST_NODE = 22;

const fail = (message) => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};

const readPackages = (file) => {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages ?? {};
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
};

/**
 * Whether node_modules holds what package-lock.json asks for. npm writes what it installed to node_modules/.package-lock.json, as its
 * last step; times are not compared, because a checkout changes them.
 */
const isInstalled = () => {
  const wanted = readPackages('package-lock.json');
  const present = readPackages('node_modules/.package-lock.json');
  if (!wanted) fail('package-lock.json is missing or not JSON: check the file out again');
  if (!present) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith('node_modules/')) return true;
    const found = present[path];
    // Packages for other platforms are in the lockfile and never installed.
    if (!found) return Boolean(entry.optional || entry.devOptional || entry.peer);
    return found.version === entry.version && found.integrity === entry.integrity && found.link === entry.link;
  });
};

const install = () => {
  process.stderr.write('Installing dependencies (npm ci) …\n');
  // npm and its Node are named by full path where possible: PATH leads to the Node in node_modules, which is about to be replaced.
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== binaries);
  // The build needs the development packages, whatever NODE_ENV or the user's npm says.
  const ci = ['ci', '--include=dev', '--include=optional'];
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const [command, args] = npm && node && !node.startsWith(root) ? [node, [npm, ...ci]] : ['npm', ci];
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, PATH: path.join(delimiter) },
  });
  if (error) fail(`npm cannot be started: ${error.message}`);
  if (status !== 0) fail(`npm ci failed with exit code ${status}`);
};

/** The Node that runs the product: the one that the lockfile brings, and on platforms for which it brings none, this one. */
const findNode = () => {
  const locked = join(binaries, 'node');
  if (!existsSync(locked)) return { node: process.execPath, version: process.version };
  if (realpathSync(locked) === process.execPath) return { node: locked, version: process.version };
  const { stdout, status, error } = spawnSync(locked, ['--version'], { encoding: 'utf8' });
  if (error || status !== 0) fail(`${locked} cannot be started: ${error?.message ?? `exit code ${status}`}`);
  return { node: locked, version: stdout.trim() };
};

const build = (node) => {
  // Without anything to do this takes a fifth of a second, so what is stale is left to the compiler.
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(node, [compiler, '-b', '--pretty', String(Boolean(process.stderr.isTTY))], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) fail('the build failed');
};

const [script, ...args] = process.argv.slice(2);
if (!script) fail('usage: node tools/run.mjs <script> [args…]');
const installed = isInstalled();
if (!installed) install();

const { node, version } = findNode();
if (!(Number(/^v(\d+)\./.exec(version)?.[1]) >= OLDEST_NODE)) {
  fail(`Node ${version} (${node}) is too old to run Muster: it needs Node ${OLDEST_NODE} or newer`);
}
// A whole build is silent for minutes; one with little to do is not worth a line.
if (!installed || !existsSync(join(root, script))) process.stderr.write('Building, which takes some minutes …\n');
build(node);

const child = spawn(node, [join(root, script), ...args], {
  stdio: 'inherit',
  env: {
    ...process.env,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'node'),
  },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => fail(`${node} cannot be started: ${error.message}`));
child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
