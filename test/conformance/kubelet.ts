import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestCluster } from '../kube/kit/cluster.ts';

/** What a kubelet needs to know of a Deployment. */
interface Deployment {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: { readonly replicas?: number; readonly template: PodTemplate };
}

interface PodTemplate {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly Container[];
    readonly volumes?: readonly Volume[];
  };
}

interface Container {
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Volume {
  readonly name: string;
  readonly secret?: { readonly secretName: string; readonly items?: Items };
  readonly configMap?: { readonly name: string; readonly items?: Items };
}

type Items = readonly { readonly key: string; readonly path: string }[];

/** The bridge that all pods are at. */
const BRIDGE = 'pods';

/** The first pod's address is 10.244.1.10. */
const FIRST_POD = 10;

/** Where the only node is, and where it serves logs. */
const NODE_ADDRESS = '10.244.0.1';
const LOGS_PORT = 10_250;

/** How often it is looked for Deployments without pods. */
const LOOK_MS = 200;

/**
 * Plays the controller of Deployments and the kubelet of the suite's clusters: every Deployment gets Ready pods, each an
 * echo server in a network of its own.
 */
export class Kubelet {
  readonly #cluster: TestCluster;
  readonly #echo: string;
  readonly #folder: string;
  readonly #pods = new Map<string, ChildProcess>();
  #next = FIRST_POD;

  /** `echo`: the suite's echo server; `folder`: for the pods' files. */
  constructor(cluster: TestCluster, echo: string, folder: string) {
    this.#cluster = cluster;
    this.#echo = echo;
    this.#folder = folder;
  }

  /** Makes the network that the pods are in. */
  static makeNetwork(): void {
    ip('link', 'add', BRIDGE, 'type', 'bridge');
    ip('addr', 'add', `${NODE_ADDRESS}/16`, 'dev', BRIDGE);
    ip('link', 'set', BRIDGE, 'up');
  }

  /** Works until `signal` is aborted, and ends every pod then. */
  async run(signal: AbortSignal): Promise<void> {
    const logs = await this.#serveLogs();
    while (!signal.aborted) {
      const { body } = await this.#cluster.ask('GET', '/apis/apps/v1/deployments', undefined, true);
      const deployments: readonly Deployment[] = body.items ?? [];
      for (const deployment of deployments) await this.#keep(deployment);
      await sleep(LOOK_MS);
    }
    logs.close();
    for (const pod of this.#pods.values()) pod.kill('SIGKILL');
  }

  /** Serves the pods' logs to the API server, as a node does: `/containerLogs/NAMESPACE/POD/CONTAINER`. */
  async #serveLogs() {
    const [key, cert] = [join(this.#folder, 'node.key'), join(this.#folder, 'node.crt')];
    const subject = ['-subj', '/CN=node-a', '-days', '2', '-nodes', '-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...subject], { stdio: 'ignore' });
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      const [, , namespace = '', pod = ''] = (request.url ?? '').split('/');
      response.end(readFileSync(join(this.#folderOf(namespace, pod), 'log')));
    });
    await new Promise<void>((resolve) => server.listen(LOGS_PORT, NODE_ADDRESS, resolve));
    const status = {
      addresses: [{ type: 'InternalIP', address: NODE_ADDRESS }],
      daemonEndpoints: { kubeletEndpoint: { Port: LOGS_PORT } },
    };
    await this.#cluster.ask('PATCH', '/api/v1/nodes/node-a/status', { status });
    return server;
  }

  async #keep({ metadata: { namespace, name }, spec: { replicas = 1, template } }: Deployment): Promise<void> {
    for (let at = 0; at < replicas; at++) {
      // The suite tells a pod's Deployment by its name, as a ReplicaSet would have made it.
      const pod = `${name}-5f6d7c8b9-pod${at}`;
      const key = `${namespace}/${pod}`;
      if (this.#pods.has(key)) continue;
      const files = await this.#mountedFiles(namespace, template);
      if (files === undefined) continue;
      const object = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: pod, namespace, labels: template.metadata?.labels },
        spec: { ...template.spec, nodeName: 'node-a' },
      };
      const made = await this.#cluster.ask('POST', `/api/v1/namespaces/${namespace}/pods`, object, true);
      if (made.status !== 201 && made.status !== 409) continue;
      const address = await this.#start(key, pod, namespace, { template, files });
      await this.#tellReady(namespace, pod, address);
    }
  }

  /** Files of Secrets and ConfigMaps by where they are mounted; undefined: one is not there yet. */
  async #mountedFiles(namespace: string, template: PodTemplate): Promise<ReadonlyMap<string, Buffer> | undefined> {
    const files = new Map<string, Buffer>();
    const mounts = template.spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
    for (const { name, secret, configMap } of template.spec.volumes ?? []) {
      if (secret === undefined && configMap === undefined) continue;
      const kind = secret === undefined ? `configmaps/${configMap?.name}` : `secrets/${secret.secretName}`;
      const items = secret?.items ?? configMap?.items;
      const path = `/api/v1/namespaces/${namespace}/${kind}`;
      const { status, body } = await this.#cluster.ask('GET', path, undefined, true);
      if (status !== 200) return undefined;
      const mount = mounts.find((one) => one.name === name)?.mountPath ?? '';
      const keys = items ?? Object.keys(body.data).map((key) => ({ key, path: key }));
      for (const item of keys)
        files.set(`${mount}/${item.path}`, Buffer.from(body.data[item.key], secret === undefined ? 'utf8' : 'base64'));
    }
    return files;
  }

  /** Starts the echo server in a network of its own; its address. */
  async #start(
    key: string,
    pod: string,
    namespace: string,
    { template, files }: { readonly template: PodTemplate; readonly files: ReadonlyMap<string, Buffer> },
  ): Promise<string> {
    const number = this.#next++;
    const address = `10.244.${1 + Math.floor(number / 250)}.${number % 250}`;
    const folder = this.#folderOf(namespace, pod);
    mkdirSync(folder, { recursive: true });
    const inside = (path: string) => join(folder, path.replaceAll('/', '_'));
    for (const [path, content] of files) writeFileSync(inside(path), content);
    const env: Record<string, string> = { POD_NAME: pod, NAMESPACE: namespace, PATH: process.env['PATH'] ?? '' };
    for (const { name, value } of template.spec.containers[0]?.env ?? []) {
      if (value !== undefined) env[name] = files.has(value) ? inside(value) : value;
    }
    const log = openSync(join(folder, 'log'), 'a');
    // It waits for a line until its network is there.
    const child = spawn('unshare', ['--net', 'bash', '-c', 'read -r _; exec "$0"', this.#echo], {
      env,
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    this.#pods.set(key, child);
    const own = readlinkSync('/proc/self/ns/net');
    while (readlinkSync(`/proc/${child.pid}/ns/net`) === own) await sleep(5);
    const link = `v${number}`;
    ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(child.pid));
    ip('link', 'set', link, 'master', BRIDGE, 'up');
    const within = ['-t', String(child.pid), '-n', 'ip'];
    execFileSync('nsenter', [...within, 'link', 'set', 'lo', 'up']);
    execFileSync('nsenter', [...within, 'addr', 'add', `${address}/16`, 'dev', 'eth0']);
    execFileSync('nsenter', [...within, 'link', 'set', 'eth0', 'up']);
    child.stdin?.end('\n');
    return address;
  }

  /** Pods of two namespaces may have the same name, and each has certificates of its own. */
  #folderOf(namespace: string, pod: string): string {
    return join(this.#folder, namespace, pod);
  }

  async #tellReady(namespace: string, pod: string, address: string): Promise<void> {
    const lastTransitionTime = `${new Date().toISOString().slice(0, 19)}Z`;
    const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime,
    }));
    const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }], hostIP: NODE_ADDRESS, conditions };
    await this.#cluster.ask('PATCH', `/api/v1/namespaces/${namespace}/pods/${pod}/status`, { status });
  }
}

/** The command `ip`. Throws what it complains of. */
export function ip(...args: readonly string[]): void {
  execFileSync('ip', [...args]);
}
