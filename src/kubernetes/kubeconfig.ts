import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fail, ok, type Result } from '../base/result.ts';
import type { ApiFailure } from './api.ts';
import {
  type ClusterConfig,
  currentLogin,
  type Login,
  readKubeconfigs,
  runsInCluster,
  serviceAccount,
} from './cluster-config.ts';
import { type Credentials, logIn } from './log-in.ts';

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

/** Finds the cluster. Errors: of kind `config`. */
export async function openCluster(options: AccessOptions): Promise<Result<ClusterAccess, ApiFailure>> {
  const root = options.root ?? '';
  const files = options.kubeconfig === undefined ? kubeconfigFiles(root) : [resolve(options.kubeconfig)];
  const place = files.length > 0 ? files.join(delimiter) : 'the service account of this pod';
  try {
    if (files.length === 0) return runsInCluster(root) ? ok(accessOf(serviceAccount(root))) : fail(NOWHERE);
    const config = readKubeconfigs(files);
    const login = currentLogin(config);
    return login === undefined ? fail(noCluster(config, place)) : ok(accessOf(login));
  } catch (error) {
    return fail({
      kind: 'config',
      message: `${place}: ${whyUnusable(error)}`,
      fix: 'repair the file or name another one',
    });
  }
}

function accessOf(login: Login): ClusterAccess {
  return { server: login.cluster.server, namespace: login.namespace, credentials: logIn(login) };
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

function noCluster({ currentContext: context, contexts }: ClusterConfig, place: string): ApiFailure {
  const message = `${place}: ${context ? `context ${JSON.stringify(context)} leads to no cluster` : 'no current-context'}`;
  const names = contexts.map(({ name }) => name);
  const known = names.length > 0 ? `; the contexts there are: ${names.join(', ')}` : '';
  return { kind: 'config', message, fix: `set current-context (kubectl config use-context NAME)${known}` };
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

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'this is a folder',
  EACCES: 'no permission to read it',
};

/** What keeps a kubeconfig from being used, in one line: what YAML says goes on with a picture of the place. */
function whyUnusable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const [first = ''] = textOf(error).split('\n');
  return SYSTEM_ERRORS[code] ?? first.replace(/:$/, '');
}

/** What an error says, for people. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A host with several addresses fails with all their errors and no message of its own.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(textOf).join(', ');
  return error.message.trim();
}
