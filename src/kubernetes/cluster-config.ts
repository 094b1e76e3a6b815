import { existsSync, readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { dirname, resolve } from 'node:path';
import type { Cluster, Context, User } from '@kubernetes/client-node';
// These few functions alone: all of the library takes 0.8 s and 80 MB to load.
import { newClusters, newContexts, newUsers } from '@kubernetes/client-node/dist/config_types.js';
import { parse } from 'yaml';

/** Where a cluster's account for pods is mounted in every container. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** One cluster, and who we are there. */
export interface Login {
  readonly cluster: Cluster;
  readonly user: User;
  /** A file with the token, read for each request; undefined: there is none. */
  readonly tokenFile: string | undefined;
  /** Where Sluice itself runs, or what the kubeconfig's context says, else `default`. */
  readonly namespace: string;
}

/** What kubeconfig files say, with absolute paths. */
export interface ClusterConfig {
  readonly clusters: readonly Cluster[];
  readonly users: readonly User[];
  readonly contexts: readonly Context[];
  readonly currentContext: string | undefined;
  /** Files with tokens, by user: the library does not know them. */
  readonly tokenFiles: ReadonlyMap<string, string>;
}

/** Whether Sluice runs in a pod with a service account. `root` is put in front of its folder; for tests. */
export function runsInCluster(root: string): boolean {
  return Boolean(process.env['KUBERNETES_SERVICE_HOST']) && existsSync(`${root}${SERVICE_ACCOUNT}/token`);
}

/** Who a pod is in the cluster that it runs in. Throws what a file that cannot be read throws. */
export function serviceAccount(root: string): Login {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = process.env;
  const scheme = ['80', '8080', '8001'].includes(port) ? 'http' : 'https';
  const folder = `${root}${SERVICE_ACCOUNT}`;
  const namespace = existsSync(`${folder}/namespace`) ? readFileSync(`${folder}/namespace`, 'utf8').trim() : '';
  return {
    cluster: {
      name: 'inCluster',
      server: `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`,
      caFile: `${folder}/ca.crt`,
      skipTLSVerify: false,
    },
    user: { name: 'inClusterUser' },
    tokenFile: `${folder}/token`,
    namespace: namespace || 'default',
  };
}

/**
 * Reads kubeconfig files as one: as for kubectl, what a file says first is not changed by those after it. Throws when a
 * file cannot be read or says what no kubeconfig says.
 */
export function readKubeconfigs(files: readonly string[]): ClusterConfig {
  const configs = files.map(readKubeconfig);
  return {
    clusters: firstOfEachName(configs.flatMap(({ clusters }) => clusters)),
    users: firstOfEachName(configs.flatMap(({ users }) => users)),
    contexts: firstOfEachName(configs.flatMap(({ contexts }) => contexts)),
    currentContext: configs.map(({ currentContext }) => currentContext).find((name) => name),
    tokenFiles: new Map(configs.flatMap(({ tokenFiles }) => [...tokenFiles]).reverse()),
  };
}

/** What the current context leads to; undefined: to no cluster. Without a user it is nobody in particular. */
export function currentLogin(config: ClusterConfig): Login | undefined {
  const { clusters, users, contexts, currentContext, tokenFiles } = config;
  const context = contexts.find(({ name }) => name === currentContext);
  const cluster = clusters.find(({ name }) => name === context?.cluster);
  if (context === undefined || cluster === undefined) return undefined;
  const user = users.find(({ name }) => name === context.user) ?? { name: 'anonymous' };
  return { cluster, user, tokenFile: tokenFiles.get(user.name), namespace: context.namespace?.trim() || 'default' };
}

/** The keys of a kubeconfig that are used here; whatever else it says, the library's functions check. */
interface Content {
  readonly clusters?: unknown;
  readonly contexts?: unknown;
  readonly users?: readonly { readonly name: string; readonly user?: { readonly tokenFile?: string } }[];
  readonly 'current-context'?: string;
}

function contentOf(parsed: unknown): Content {
  if (typeof parsed !== 'object' || parsed === null) throw new Error('there is no map of clusters, users and contexts');
  // Each list is checked where it is read.
  return parsed;
}

function readKubeconfig(file: string): ClusterConfig {
  const content = contentOf(parse(readFileSync(file, 'utf8')));
  const beside = (path: string) => resolve(dirname(file), path);
  const absolute = <Key extends string>(object: { [key in Key]?: string }, ...keys: readonly Key[]) => {
    for (const key of keys) if (object[key]) object[key] = beside(object[key]);
  };
  const clusters = newClusters(content.clusters);
  const users = newUsers(content.users);
  for (const cluster of clusters) absolute(cluster, 'caFile');
  for (const user of users) absolute(user, 'certFile', 'keyFile');
  // `newUsers` has found a list with names, or nothing.
  const withToken = users.length === 0 ? [] : (content.users ?? []);
  const tokenFiles = withToken.flatMap(({ name, user }) =>
    user?.tokenFile ? [[name, beside(user.tokenFile)] as const] : [],
  );
  return {
    clusters,
    users,
    contexts: newContexts(content.contexts),
    currentContext: content['current-context'],
    tokenFiles: new Map(tokenFiles),
  };
}

function firstOfEachName<T extends { readonly name: string }>(list: readonly T[]): readonly T[] {
  return [...new Map(list.toReversed().map((one) => [one.name, one])).values()].reverse();
}
