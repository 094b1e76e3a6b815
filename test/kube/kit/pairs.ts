import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { envoyBootstrap } from '../../../src/envoy/bootstrap.ts';
import { type Status, statusSchema } from '../../../src/status/status.ts';
import { http1Client } from '../../e2e/kit/client-http1.ts';
import { startEnvoy, type TestEnvoy } from '../../e2e/kit/envoy.ts';
import { until } from '../../e2e/kit/instant.ts';
import type { LoadClient } from '../../e2e/kit/load.ts';
import { Pods } from '../../e2e/kit/pods.ts';
import { freePort } from '../../e2e/kit/ports.ts';
import { SluiceProcess } from '../../e2e/kit/sluice-process.ts';
import { FaultProxy } from './fault-proxy.ts';
import type { TestNamespace } from './namespace.ts';

const BASE = fileURLToPath(new URL('../../../k8s/base/', import.meta.url));
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const LEASES = '/apis/coordination.k8s.io/v1';
const TRAFFIC = 8080;
const ENVOY_ADMIN = 9901;
/** Worker threads of each Envoy: as in the manifests, if nobody says otherwise. */
const WORKERS = Number(process.env['SLUICE_WORKERS'] ?? 1);

/** How long a Service goes on sending requests to a Pod that terminates. */
const LEARN_MS = 1000;

/** The Lease, and the Secret, of all pairs of a test. */
export const LEASE = 'sluice';

/** Who has the coordinator's Lease, as the API server has it. */
export interface Coordinates {
  readonly holder: string;
  readonly address: string;
  readonly term: number;
}

/** Pairs of Sluice and Envoy, each in a Pod, as k8s/ has them; and pods that judge. The test is their kubelet. */
export class Pairs {
  readonly space: TestNamespace;
  readonly pods: Pods;
  readonly limit: number;
  readonly #folder: string;
  readonly #network: string;
  readonly #all: Pair[] = [];
  #made = 0;

  private constructor(space: TestNamespace, pods: Pods, place: { folder: string; network: string; limit: number }) {
    this.space = space;
    this.pods = pods;
    this.#folder = place.folder;
    this.#network = place.network;
    this.limit = place.limit;
  }

  /**
   * The pods, the rights of k8s/base for the user `app`, and its empty Secret; no pair yet. `network`: the first three parts of all
   * addresses, of which pods have the first.
   */
  static async make(space: TestNamespace, network: string, { count = 4, limit = 1 } = {}): Promise<Pairs> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-pairs-'));
    const pods = await Pods.start({ count, network, port: 8000 });
    const rules = ['base/peers-role.yaml', 'role/role.yaml'].flatMap(
      (file) => parse(readFileSync(join(BASE, '..', file), 'utf8')).rules,
    );
    await space.cluster.ask('POST', `${RBAC}/namespaces/${space.name}/roles`, { metadata: { name: 'sluice' }, rules });
    await space.cluster.ask('POST', `${RBAC}/namespaces/${space.name}/rolebindings`, {
      metadata: { name: 'sluice' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'sluice' },
      subjects: [{ kind: 'User', name: 'app' }],
    });
    await space.cluster.ask('POST', space.path('secrets'), { metadata: { name: LEASE } });
    return new Pairs(space, pods, { folder, network, limit });
  }

  /** Those that have not been removed. */
  get all(): readonly Pair[] {
    return this.#all;
  }

  /** A further pair; resolves when requests get to pods through it. `more`: further arguments of its Sluice. */
  async add(more: readonly string[] = []): Promise<Pair> {
    const pair = await this.begin(more);
    await pair.serves();
    pair.takes = true;
    return pair;
  }

  /** A further pair, which may never get a slot. */
  async begin(more: readonly string[] = []): Promise<Pair> {
    const number = this.#made++;
    const name = `pair-${number}`;
    const folder = join(this.#folder, name);
    await mkdir(folder, { recursive: true });
    const proxy = await FaultProxy.start(this.space.cluster);
    const pair = new Pair(this, { name, address: `${this.#network}.${100 + number}`, folder, proxy });
    this.#all.push(pair);
    await pair.start(more);
    return pair;
  }

  forget(pair: Pair): void {
    this.#all.splice(this.#all.indexOf(pair), 1);
  }

  /** Undefined: nobody. */
  async coordinates(): Promise<Coordinates | undefined> {
    const path = `${LEASES}/namespaces/${this.space.name}/leases/${LEASE}`;
    const { status, body } = await this.space.cluster.ask('GET', path, undefined, true);
    const holder: string = status === 200 ? (body.spec.holderIdentity ?? '') : '';
    if (holder === '') return undefined;
    const { 'sluice.dev/address': address, 'sluice.dev/term': term } = body.metadata.annotations;
    return { holder, address, term: Number(term) };
  }

  /** The pair whose Sluice coordinates. */
  async coordinator(): Promise<Pair> {
    return await until(
      async () => {
        const now = await this.coordinates();
        return this.#all.find(({ name }) => now?.holder.startsWith(`${name}_`));
      },
      { what: 'a Sluice that coordinates', within: 20_000 },
    );
  }

  /** Names of the pairs that have a Lease as members. */
  async members(): Promise<readonly string[]> {
    const path = `${LEASES}/namespaces/${this.space.name}/leases?labelSelector=${encodeURIComponent(`sluice.dev/coordinator=${LEASE}`)}`;
    const { body } = await this.space.cluster.ask('GET', path);
    const items: readonly { metadata: { annotations: Record<string, string> } }[] = body.items;
    return items.map(({ metadata }) => metadata.annotations['sluice.dev/node'] ?? '').sort();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#all].map((pair) => pair.kill()));
    await this.pods.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** One Sluice and the Envoy beside it, in a Pod. */
export class Pair {
  readonly name: string;
  /** The Pod's address. */
  readonly address: string;
  /** Between this Sluice and the API server. */
  readonly proxy: FaultProxy;
  readonly client: LoadClient;
  /** A Service would send requests here. */
  takes = false;
  readonly #set: Pairs;
  readonly #folder: string;
  #arguments: readonly string[] = [];
  #xds = 0;
  #sluice: SluiceProcess | undefined;
  #envoy: TestEnvoy | undefined;

  constructor(
    set: Pairs,
    { name, address, folder, proxy }: { name: string; address: string; folder: string; proxy: FaultProxy },
  ) {
    this.#set = set;
    this.name = name;
    this.address = address;
    this.#folder = folder;
    this.proxy = proxy;
    this.client = http1Client({ host: address, port: TRAFFIC });
  }

  get sluice(): SluiceProcess {
    if (this.#sluice === undefined) throw new Error(`the Sluice of ${this.name} was never started`);
    return this.#sluice;
  }

  get envoy(): TestEnvoy {
    if (this.#envoy === undefined) throw new Error(`the Envoy of ${this.name} was never started`);
    return this.#envoy;
  }

  /** Makes the Pod object and starts both. */
  async start(more: readonly string[]): Promise<void> {
    const { space, pods, limit } = this.#set;
    await space.addPod(this.name, { app: 'sluice', ips: [this.address] });
    const routes = {
      version: 1,
      listen: { address: this.address, port: TRAFFIC },
      services: { codec: { static: pods.addresses, limit, queue: { max: 10_000 } } },
      routes: [{ match: { prefix: '/' }, service: 'codec' }],
    };
    // JSON is YAML.
    await writeFile(join(this.#folder, 'routes.yaml'), JSON.stringify(routes));
    const kubeconfig = join(this.#folder, 'kubeconfig');
    await writeFile(
      kubeconfig,
      JSON.stringify({
        clusters: [{ name: 'c', cluster: { server: this.proxy.url } }],
        users: [{ name: 'u', user: { token: 'app-token-1' } }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: space.name } }],
        'current-context': 'x',
      }),
    );
    this.#xds = await freePort();
    this.#arguments = [
      ...['serve', '--routes', join(this.#folder, 'routes.yaml'), '--state-dir', this.#folder],
      ...['--xds', `127.0.0.1:${this.#xds}`, '--admin', '127.0.0.1:0', '--kubeconfig', kubeconfig],
      ...['--coordinator-lease', LEASE, '--peers', this.address, ...more],
    ];
    await this.startSluice();
    await this.startEnvoy();
  }

  async startSluice(): Promise<void> {
    this.#sluice = new SluiceProcess(this.#arguments, { POD_NAME: this.name });
    await this.#sluice.logged('it serves', ({ msg }) => msg === 'serving');
  }

  async startEnvoy(): Promise<void> {
    this.#envoy = await startEnvoy(
      envoyBootstrap({
        nodeId: this.name,
        nodeCluster: 'pairs',
        xds: { kind: 'tcp', host: '127.0.0.1', port: this.#xds },
        admin: { host: this.address, port: ENVOY_ADMIN },
      }),
      'warn',
      undefined,
      WORKERS,
    );
  }

  /** Waits until a request gets to a pod. */
  async serves(): Promise<void> {
    let sent = 0;
    const isServed = async () =>
      (await this.client.send({ id: `hello-${this.name}-${sent++}`, at: 0, workMs: 1 })).status === 200;
    // Under load it waits for its turn; on a machine that is too busy for the load the queue grows as long as that lasts.
    await until(isServed, { what: `an answer through ${this.name}`, within: 90_000 }).catch((error: Error) => {
      const said = this.sluice.log.slice(-25).map(({ fields }) => JSON.stringify(fields));
      throw new Error(`${error.message}; its Sluice's log ends with\n${said.join('\n')}`);
    });
  }

  /** Gives its Sluice an order, such as `pause?service=codec`; what it answers. */
  async order(path: string): Promise<string> {
    return await (await this.#ask(`/${path}`, { method: 'POST', headers: { 'x-sluice-order': '1' } })).text();
  }

  async status(): Promise<Status> {
    return statusSchema.parse(await (await this.#ask('/status')).json());
  }

  /** What its readiness probe asks. */
  async isReady(): Promise<boolean> {
    return (await this.#ask('/readyz')).ok;
  }

  async #ask(path: string, init: RequestInit = { headers: { accept: 'application/json' } }): Promise<Response> {
    const { fields } = await this.sluice.logged('it serves', ({ msg }) => msg === 'serving');
    return await fetch(`${fields['admin']}${path}`, init);
  }

  signalSluice(signal: NodeJS.Signals): void {
    if (this.sluice.pid !== undefined && this.sluice.exit === undefined) process.kill(this.sluice.pid, signal);
  }

  /** Kills Sluice; Envoy goes on. */
  async killSluice(): Promise<void> {
    if (this.sluice.exit === undefined) await this.sluice.end('SIGKILL');
  }

  async killEnvoy(): Promise<void> {
    process.kill(this.envoy.pid, 'SIGKILL');
    await this.envoy.exited;
  }

  /** Its Pod object goes, whatever still runs. */
  async removePod(): Promise<void> {
    await this.#set.space.removePod(this.name, 'at once');
  }

  /**
   * What a kubelet does: the Pod is terminating; Envoy's preStop hook of k8s/base drains it, then Envoy ends, then Sluice, whose hook
   * waits for that; then the Pod is gone.
   */
  async terminate(): Promise<void> {
    await this.#set.space.removePod(this.name, 'graceful');
    // All nodes learn of it some time later.
    setTimeout(() => {
      this.takes = false;
    }, LEARN_MS);
    await this.#drain();
    await this.envoy.stop();
    await this.sluice.end('SIGTERM');
    await this.removePod();
    await this.#leave();
  }

  /** Ends everything at once. */
  async kill(): Promise<void> {
    this.signalSluice('SIGCONT');
    await this.killSluice();
    await this.#envoy?.stop();
    await this.#leave();
  }

  async #leave(): Promise<void> {
    this.client.close();
    await this.proxy.stop();
    this.#set.forget(this);
  }

  #drain(): Promise<void> {
    const own = { ENVOY_ADMIN_HOST: this.address, ENVOY_ADMIN_PORT: String(ENVOY_ADMIN), ENVOY_ADMIN_NOTICE: '5' };
    const env = { ...process.env, ...own };
    return new Promise((resolve, reject) => {
      execFile('bash', [join(BASE, 'envoy-admin.sh'), 'drain'], { env }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
}
