import { existsSync, readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { fail, ok, type Result } from '../../base/result.ts';
import type { ApiFailure } from './api.ts';

/** Where a cluster's account for pods is mounted in every container. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** After this many milliseconds without traffic the kernel begins to ask whether the other side is alive. */
const KEEP_ALIVE_MS = 15_000;

/** What one request needs besides its path. */
export interface Credentials {
  readonly agent: HttpAgent;
  readonly headers: Readonly<Record<string, string>>;
}

/** A way to an API server. */
export interface ClusterAccess {
  /** `https://10.96.0.1:443`, without a slash at its end. */
  readonly server: string;
  /** Where Sluice itself runs, or what the kubeconfig's context says, else `default`. */
  readonly namespace: string;
  /**
   * Who we are, read anew for each request, because tokens are replaced while we run. Rejects with a message for
   * people when a file cannot be read or a plug-in fails.
   */
  credentials(): Promise<Credentials>;
}

/** Where to look for a cluster. */
export interface AccessOptions {
  /** A kubeconfig file; undefined: $KUBECONFIG, the cluster we run in, ~/.kube/config, in this order. */
  readonly kubeconfig?: string | undefined;
  /** Put in front of the service account's folder; for tests. */
  readonly root?: string | undefined;
}

/**
 * Finds the cluster. The library that reads kubeconfigs takes half a second to load, so it is loaded here and not
 * before. Errors: of kind `config`.
 */
export async function openCluster(options: AccessOptions): Promise<Result<ClusterAccess, ApiFailure>> {
  const root = options.root ?? '';
  const files = options.kubeconfig === undefined ? kubeconfigFiles(root) : [resolve(options.kubeconfig)];
  const place = files.length > 0 ? files.join(delimiter) : 'the service account of this pod';
  try {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    if (files.length === 0) {
      if (!runsInCluster(root)) return fail(NOWHERE);
      config.loadFromCluster(root);
      return ok(accessOf(config, () => `${root}${SERVICE_ACCOUNT}/token`));
    }
    for (const file of files) {
      const one = new KubeConfig();
      one.loadFromFile(file);
      mergeInto(config, one);
    }
    if (config.getCurrentCluster() === null) return fail(noCluster(config, place));
    return ok(accessOf(config, (user) => tokenFileOf(user, files)));
  } catch (error) {
    return fail({ kind: 'config', message: `${place}: ${textOf(error)}`, fix: 'mend the file or name another one' });
  }
}

/** Which kubeconfig to use, and what the user should know about that choice. */
export interface KubeconfigChoice {
  /** As in `AccessOptions`. */
  readonly kubeconfig: string | undefined;
  readonly warning?: string;
}

/**
 * What a `kube_config_file` of a route file comes to. Such files were written for a container into which that path was
 * mounted; where it is not there, $KUBECONFIG or the cluster Sluice runs in takes its place, and that is said. Not
 * ~/.kube/config: it may lead to any other cluster.
 */
export function chooseKubeconfig(file: string | undefined, root = ''): KubeconfigChoice {
  // lbagent's empty file name means what is found without one.
  if (file === undefined || file === '') return { kubeconfig: undefined };
  const instead = process.env['KUBECONFIG']
    ? `$KUBECONFIG (${process.env['KUBECONFIG']})`
    : runsInCluster(root)
      ? 'the service account of this pod'
      : undefined;
  if (instead === undefined || existsSync(file)) return { kubeconfig: file };
  const warning = `kube_config_file: there is no file ${file}; ${instead} is used instead; leave the key empty to say so`;
  return { kubeconfig: undefined, warning };
}

const NOWHERE: ApiFailure = {
  kind: 'config',
  message: 'no Kubernetes cluster is known: not running in a pod, no $KUBECONFIG, no ~/.kube/config',
  fix: 'name a kubeconfig file',
};

function noCluster(config: KubeConfig, place: string): ApiFailure {
  const context: string | undefined = config.currentContext;
  const message = `${place}: ${context ? `context ${JSON.stringify(context)} leads to no cluster` : 'no current-context'}`;
  const names = config.contexts.map(({ name }) => name);
  const known = names.length > 0 ? `; the contexts there are: ${names.join(', ')}` : '';
  return { kind: 'config', message, fix: `set current-context (kubectl config use-context NAME)${known}` };
}

function runsInCluster(root: string): boolean {
  return Boolean(process.env['KUBERNETES_SERVICE_HOST']) && existsSync(`${root}${SERVICE_ACCOUNT}/token`);
}

/** Empty: the service account, or nothing at all. As for kubectl, files of $KUBECONFIG that are not there are left out. */
function kubeconfigFiles(root: string): readonly string[] {
  const named = (process.env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  if (named.length > 0) {
    const there = named.filter((file) => existsSync(file));
    return (there.length > 0 ? there : named.slice(0, 1)).map((file) => resolve(file));
  }
  const usual = join(homedir(), '.kube', 'config');
  return !runsInCluster(root) && existsSync(usual) ? [usual] : [];
}

/** As for kubectl, what a file says first is not changed by those after it. */
function mergeInto(config: KubeConfig, one: KubeConfig): void {
  config.clusters.push(...one.clusters.filter(({ name }) => config.getCluster(name) === null));
  config.users.push(...one.users.filter(({ name }) => config.getUser(name) === null));
  config.contexts.push(...one.contexts.filter(({ name }) => config.getContextObject(name) === null));
  config.currentContext ||= one.currentContext;
}

/** The library does not know a user's `tokenFile` and would go on anonymously. */
function tokenFileOf(user: string, files: readonly string[]): string | undefined {
  for (const file of files) {
    // Just loaded as a kubeconfig without an error; only the two keys used here are assumed.
    const content = parse(readFileSync(file, 'utf8')) as {
      users?: readonly { name?: string; user?: { tokenFile?: string } }[];
    };
    const found = content.users?.find(({ name }) => name === user);
    if (found !== undefined) return found.user?.tokenFile && resolve(dirname(file), found.user.tokenFile);
  }
  return undefined;
}

function accessOf(loaded: KubeConfig, tokenFile: (user: string) => string | undefined): ClusterAccess {
  const config = withUser(loaded);
  // The library refuses http: servers (kubectl proxy) unless this is set; there is no TLS to verify.
  config.clusters = config.clusters.map((it) => (it.server.startsWith('http:') ? { ...it, skipTLSVerify: true } : it));
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser()?.name ?? '';
  const file = tokenFile(user);
  const agents = new AgentOfOptions();
  const ask = async (): Promise<Credentials> => {
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
    if (options.auth) headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    if (file !== undefined) headers['authorization'] = `Bearer ${readFileSync(file, 'utf8').trim()}`;
    // A proxy needs the library's own agent.
    const own = cluster?.proxyUrl ? options.agent : undefined;
    const agent = own instanceof HttpAgent ? own : agents.get(options, cluster?.server);
    return { agent, headers };
  };
  // A plug-in (aws eks get-token, …) must not be started by every watch at the same time.
  let underWay: Promise<Credentials> | undefined;
  const credentials = () => {
    underWay ??= ask().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
  const namespace = config.getContextObject(config.currentContext)?.namespace?.trim() || 'default';
  return { server: cluster?.server ?? '', namespace, credentials };
}

/** Without a user the library would not even use the cluster's certificate. */
function withUser(config: KubeConfig): KubeConfig {
  const context = config.getContextObject(config.currentContext);
  if (context === null || config.getCurrentUser() !== null) return config;
  config.users.push({ name: 'anonymous' });
  config.contexts = [{ ...context, user: 'anonymous' }];
  return config;
}

/** One agent for all requests, until the certificates change; connections that are in use then are left to end. */
class AgentOfOptions {
  #key: string | undefined;
  #agent: HttpAgent | undefined;

  get(options: RequestOptions, server = ''): HttpAgent {
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
    const secrets = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
    const wanted = JSON.stringify(secrets);
    if (this.#agent !== undefined && wanted === this.#key) return this.#agent;
    const given = Object.fromEntries(Object.entries(secrets).filter(([, value]) => value != null));
    const common = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxFreeSockets: 4 };
    this.#key = wanted;
    this.#agent = server.startsWith('http:') ? new HttpAgent(common) : new HttpsAgent({ ...common, ...given });
    return this.#agent;
  }
}

/** What an error says, for people. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A host with several addresses fails with all their errors and no message of its own.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(textOf).join(', ');
  return error.message.trim();
}
