// The Gateway API's conformance suite against this Sluice: see run.sh, which makes the network that this runs in.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../../src/base/version.ts';
import { SUPPORTED_FEATURES } from '../../src/routes/gateway-api/features.ts';
import { TestCluster } from '../kube/kit/cluster.ts';
import { createGatewayApi, untilAccepted } from './create.ts';
import { ip, Kubelet } from './kubelet.ts';
import { type ListedTest, readOutcomes, tableOf } from './results.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const suite = process.env['SUITE'] ?? '';
const PROFILES = ['GATEWAY-HTTP', 'GATEWAY-GRPC'];

/** Addresses that Gateways get: each of the suite's wants port 80 or 443 for itself. */
const ADDRESSES = Array.from({ length: 60 }, (_, at) => `10.244.255.${at + 1}`);

/** Where the reports of a whole run go. */
const REPORTS = join(root, 'docs/conformance');

/** Longest time for the whole suite, in milliseconds. */
const LONGEST_MS = 40 * 60_000;

/**
 * Longest waits of the suite: its own are minutes, for clouds that make machines; here everything is there in a second,
 * and a test that fails should not take three minutes to say so.
 */
const TIMEOUTS = [
  'GatewayMustHaveAddress',
  'GatewayMustHaveCondition',
  'ListenerSetMustHaveCondition',
  'NamespacesMustBeReady',
]
  .map((name) => `${name}:40`)
  .join(';');

const only = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const isCore = process.argv.includes('--core');
/** A whole run renews the reports, except where nobody would commit them. */
const writesReport = only.length === 0 && !isCore && process.env['CI'] === undefined;
const folder = mkdtempSync(join(tmpdir(), 'sluice-conformance-'));
const stopping = new AbortController();

ip('link', 'set', 'lo', 'up');
for (const address of ADDRESSES) ip('addr', 'add', `${address}/32`, 'dev', 'lo');
Kubelet.makeNetwork();
const cluster = await TestCluster.start();
const results = await runTests().finally(() => cluster.stop());
const profiles: Readonly<Record<string, readonly ListedTest[]>> = JSON.parse(
  readFileSync(join(suite, 'tests.json'), 'utf8'),
);
if (only.length > 0) {
  for (const [at, name] of only.entries()) {
    const outcome = readOutcomes(results[at]?.output ?? '').get(name) ?? 'not run';
    process.stdout.write(`${outcome.padEnd(8)} ${name}\n`);
  }
} else {
  const outcomes = readOutcomes(results.map((one) => one.output).join('\n'));
  const table = tableOf({ profiles, features: isCore ? [] : SUPPORTED_FEATURES, outcomes });
  process.stdout.write(table);
  if (writesReport) writeFileSync(join(REPORTS, 'tests.txt'), table);
}
process.stderr.write(`logs: ${folder}\n`);
process.exit(results.every(({ code }) => code === 0) ? 0 : 1);

async function runTests(): Promise<readonly Result[]> {
  await createGatewayApi(cluster);
  mkdirSync(join(folder, 'pods'));
  const kubelet = new Kubelet(cluster, join(suite, 'echo-basic'), join(folder, 'pods'));
  const playing = kubelet.run(stopping.signal);
  const sluice = startSluice();
  try {
    // The suite does not wait for the class.
    await untilAccepted(cluster);
    return only.length > 0 ? await runEach(only) : [await runSuite([])];
  } finally {
    stopping.abort();
    sluice.kill('SIGTERM');
    await playing;
  }
}

function startSluice() {
  const addresses = ADDRESSES.flatMap((address) => ['--gateway-address', address]);
  const args = ['run', '--gateway-api', ...addresses, '--kubeconfig', cluster.kubeconfig(), '--log-level', 'debug'];
  const log = createWriteStream(join(folder, 'sluice.log'));
  const child = spawn(process.execPath, [join(root, 'src/main.ts'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  return child;
}

async function runEach(names: readonly string[]) {
  const done = [];
  for (const name of names) done.push(await runSuite([`-run-test=${name}`]));
  return done;
}

interface Result {
  readonly code: number;
  readonly output: string;
}

function runSuite(args: readonly string[]): Promise<Result> {
  if (writesReport) mkdirSync(REPORTS, { recursive: true });
  const features = isCore ? [] : SUPPORTED_FEATURES;
  const all = [
    '-test.run=TestConformance',
    '-test.v',
    `-test.timeout=${LONGEST_MS / 60_000}m`,
    '-gateway-class=sluice',
    `-conformance-profiles=${PROFILES.join(',')}`,
    `-supported-features=${features.join(',')}`,
    `-usable-address=${ADDRESSES.at(-1)}`,
    '-unusable-address=10.244.254.254',
    '-cleanup-base-resources=false',
    // Sluice's own definition is not of the Gateway API; the suite compares versions and channel of the others.
    '-allow-crds-mismatch',
    `-timeout-config-overrides=${TIMEOUTS}`,
    '-organization=sluice',
    '-project=sluice',
    '-url=https://sluice.dev',
    `-version=${VERSION}`,
    '-contact=maintainers: see SECURITY.md of the repository',
    ...(writesReport ? [`-report-output=${join(REPORTS, 'report.yaml')}`] : []),
    ...args,
  ];
  const child = spawn(join(suite, 'conformance.test'), all, {
    env: { ...process.env, KUBECONFIG: cluster.kubeconfig() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const log = createWriteStream(join(folder, 'suite.log'), { flags: 'a' });
  const pieces: string[] = [];
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (piece: string) => {
    pieces.push(piece);
    log.write(piece);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output: pieces.join('') }));
  });
}
