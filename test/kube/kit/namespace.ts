import { randomBytes } from 'node:crypto';
import type { TestCluster } from './cluster.ts';

/** A port of a Service; `targetPort` is the pods' port, by number or name. */
export interface PortSpec {
  readonly name?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly protocol?: 'TCP' | 'UDP';
}

/** A pod as a test wants it. */
export interface PodSpec {
  /** Which Service selects it: the label `app`. */
  readonly app: string;
  readonly ips: readonly string[];
  readonly ready?: boolean;
  /** Its annotation `sluice.dev/limit`. */
  readonly limit?: string;
  /** Ports of its container, by name. */
  readonly ports?: Readonly<Record<string, number>>;
}

/** A namespace of its own for one test, and what tests do in it. */
export class TestNamespace {
  readonly cluster: TestCluster;
  readonly name: string;

  private constructor(cluster: TestCluster, name: string) {
    this.cluster = cluster;
    this.name = name;
  }

  /**
   * Makes a new one with a name of its own, unless `wanted` is given, which another test may have made before. It is
   * left behind: deleting takes the cluster longer than ending it.
   */
  static async make(cluster: TestCluster, wanted?: string): Promise<TestNamespace> {
    const name = wanted ?? `test-${randomBytes(4).toString('hex')}`;
    await cluster.ask('POST', '/api/v1/namespaces', { metadata: { name } }, wanted !== undefined);
    return new TestNamespace(cluster, name);
  }

  path(resource: string): string {
    return `/api/v1/namespaces/${this.name}/${resource}`;
  }

  /** A Service that selects the pods whose `app` is its name. `more` goes into its spec. */
  async addService(name: string, ports: readonly PortSpec[], more: object = {}): Promise<void> {
    const spec = { selector: { app: name }, ports, ...more };
    await this.cluster.ask('POST', this.path('services'), { metadata: { name }, spec });
  }

  async removeService(name: string): Promise<void> {
    await this.cluster.ask('DELETE', this.path(`services/${name}`));
  }

  /** A pod that runs; nothing listens there unless the test sees to it. */
  async addPod(name: string, { app, ips, ready = true, limit, ports = {} }: PodSpec): Promise<void> {
    const containers = [
      {
        name: 'main',
        image: 'none',
        ports: Object.entries(ports).map(([portName, containerPort]) => ({ name: portName, containerPort })),
      },
    ];
    const annotations = limit === undefined ? {} : { 'sluice.dev/limit': limit };
    const metadata = { name, labels: { app }, annotations };
    await this.cluster.ask('POST', this.path('pods'), { metadata, spec: { nodeName: 'node-a', containers } });
    await this.#setStatus(name, { ready, ips });
  }

  /** Writes a Pod's own limit; null: it has none any more. */
  async setLimit(name: string, limit: string | null): Promise<void> {
    const metadata = { annotations: { 'sluice.dev/limit': limit } };
    await this.cluster.ask('PATCH', this.path(`pods/${name}`), { metadata });
  }

  async setReady(name: string, ready: boolean): Promise<void> {
    await this.#setStatus(name, { ready });
  }

  /** `graceful`: it is terminating until it is removed without grace, as nobody is there to end its containers. */
  async removePod(name: string, how: 'graceful' | 'at once'): Promise<void> {
    const gracePeriodSeconds = how === 'graceful' ? 600 : 0;
    await this.cluster.ask('DELETE', this.path(`pods/${name}`), { gracePeriodSeconds });
  }

  /** A slice as somebody other than the controllers would make it. */
  async addSlice(service: string, name: string, slice: object): Promise<void> {
    const metadata = { name, labels: { 'kubernetes.io/service-name': service } };
    const path = `/apis/discovery.k8s.io/v1/namespaces/${this.name}/endpointslices`;
    await this.cluster.ask('POST', path, { metadata, ...slice });
  }

  /** A Service without selector, whose only slice is what `setPods` says: no controller is needed. */
  async addBareService(name: string, ips: readonly string[]): Promise<void> {
    await this.addService(name, [{ name: 'http', port: 80 }], { selector: null });
    await this.addSlice(name, name, {
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080 }],
      endpoints: ends(ips),
    });
  }

  /** Changes the pods of a Service that `addBareService` made. */
  async setPods(name: string, ips: readonly string[]): Promise<void> {
    const path = `/apis/discovery.k8s.io/v1/namespaces/${this.name}/endpointslices/${name}`;
    await this.cluster.ask('PATCH', path, { endpoints: ends(ips) });
  }

  async #setStatus(name: string, { ready, ips }: { ready: boolean; ips?: readonly string[] }): Promise<void> {
    const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
    const addresses = ips === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) };
    const status = { phase: 'Running', conditions, ...addresses };
    await this.cluster.ask('PATCH', this.path(`pods/${name}/status`), { status });
  }
}

function ends(ips: readonly string[]): readonly object[] {
  return ips.map((ip) => ({ addresses: [ip] }));
}
