import { assertNever } from '../base/assert-never.ts';
import type { Problem } from '../model/problem.ts';
import type { ApiFailure } from './api.ts';

/** What Sluice reads of a namespace. */
export type KubeResource = 'services' | 'endpointslices' | 'pods';

/** Something that was asked of the API server. */
export interface Question {
  readonly verb: 'list' | 'watch';
  readonly resource: KubeResource;
  readonly namespace: string;
}

const GROUP: Readonly<Record<KubeResource, string>> = {
  services: '',
  endpointslices: 'discovery.k8s.io',
  pods: '',
};

/** The Role that Sluice needs in a namespace, as one line of YAML that `kubectl apply -f -` takes; Pods are read only where asked for. */
export function roleYaml(namespace: string, also: KubeResource = 'services'): string {
  const rule = (resource: KubeResource) =>
    `{apiGroups: ["${GROUP[resource]}"], resources: [${resource}], verbs: [list, watch]}`;
  const resources = [...new Set<KubeResource>(['services', 'endpointslices', also])];
  return (
    `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: sluice, namespace: ${namespace}}, ` +
    `rules: [${resources.map(rule).join(', ')}]}`
  );
}

/** The user that the API server's refusal names: `User "system:serviceaccount:ns:name" cannot …`. */
function userIn(message: string): string | undefined {
  return /User "([^"]+)"/.exec(message)?.[1];
}

function bindingCommand(namespace: string, user: string | undefined): string {
  const account = /^system:serviceaccount:([^:]+:[^:]+)$/.exec(user ?? '')?.[1];
  const subject = account === undefined ? `--user=${user ?? 'NAME'}` : `--serviceaccount=${account}`;
  return `kubectl create rolebinding sluice -n ${namespace} --role=sluice ${subject}`;
}

function forbidden({ verb, resource, namespace }: Question, message: string): Pick<Problem, 'message' | 'fix'> {
  const user = userIn(message);
  const name = GROUP[resource] === '' ? resource : `${resource}.${GROUP[resource]}`;
  const who = user === undefined ? '' : ` as ${JSON.stringify(user)}`;
  const reason = user === undefined ? `: ${message}` : '';
  return {
    message: `not allowed to ${verb} ${name} in namespace ${namespace}${who}${reason}`,
    fix: `apply the Role ${roleYaml(namespace, resource)} and bind it: ${bindingCommand(namespace, user)}`,
  };
}

function describe(question: Question, failure: ApiFailure): Omit<Problem, 'subject'> {
  const what = `cannot ${question.verb} ${question.resource}`;
  switch (failure.kind) {
    case 'config':
      return { severity: 'error', message: failure.message, fix: failure.fix };
    case 'unreachable':
      return { severity: 'warning', message: `${what}: ${failure.message}` };
    case 'malformed':
      return { severity: 'warning', message: `${what}: the API server's answer is ${failure.message}` };
    case 'status': {
      if (failure.code === 403) return { severity: 'error', ...forbidden(question, failure.message) };
      const message = `${what}: ${failure.code} ${failure.message}`;
      if (failure.code === 401) {
        return { severity: 'error', message, fix: 'the API server does not accept the token: renew it' };
      }
      if (failure.code === 404) {
        return { severity: 'error', message, fix: 'check the address of the API server (Kubernetes 1.21 or newer)' };
      }
      return { severity: 'warning', message };
    }
    default:
      return assertNever(failure);
  }
}

/** What a person is told of a question that the API server did not answer. */
export function failureProblem(question: Question, failure: ApiFailure): Problem {
  // A kubeconfig that cannot be used is one fault, whatever was asked.
  const subject = failure.kind === 'config' ? 'kubernetes' : `kubernetes ${question.namespace}`;
  return { subject, ...describe(question, failure) };
}

/** The same for what is asked of all namespaces. */
export function describeFailure(asked: string, failure: ApiFailure): Problem {
  const subject = 'kubernetes';
  if (failure.kind === 'config') return { subject, severity: 'error', message: failure.message, fix: failure.fix };
  if (failure.kind !== 'status')
    return { subject, severity: 'warning', message: `cannot ${asked}: ${failure.message}` };
  switch (failure.code) {
    case 403:
      return {
        subject,
        severity: 'error',
        message: `not allowed to ${asked}: ${failure.message}`,
        fix: 'apply the ClusterRole in k8s/gateway-api',
      };
    case 404:
      return { subject, severity: 'warning', message: `cannot ${asked}: the API server does not have them` };
    default:
      return { subject, severity: 'warning', message: `cannot ${asked}: ${failure.code} ${failure.message}` };
  }
}
