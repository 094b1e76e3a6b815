import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { ApiFailure } from '../../../src/kubernetes/api.ts';
import { failureProblem, roleYaml } from '../../../src/kubernetes/failure-problem.ts';
import { formatProblem } from '../../../src/model/problem.ts';

const question = { verb: 'list', resource: 'endpointslices', namespace: 'ai' } as const;
const say = (failure: ApiFailure) => formatProblem(failureProblem(question, failure));

describe('failureProblem', () => {
  test.each<[ApiFailure, string]>([
    [
      { kind: 'unreachable', message: 'connect ECONNREFUSED' },
      'warning: cannot list endpointslices: connect ECONNREFUSED',
    ],
    [
      { kind: 'malformed', message: 'not a list: x' },
      "warning: cannot list endpointslices: the API server's answer is not a list: x",
    ],
    [{ kind: 'status', code: 500, message: 'no leader' }, 'warning: cannot list endpointslices: 500 no leader'],
    [{ kind: 'config', message: 'no file', fix: 'name one' }, 'no file; name one'],
    [
      { kind: 'status', code: 401, message: 'Unauthorized' },
      'cannot list endpointslices: 401 Unauthorized; the API server does not accept the token: renew it',
    ],
    [
      { kind: 'status', code: 404, message: 'not found' },
      'cannot list endpointslices: 404 not found; check the address of the API server (Kubernetes 1.21 or newer)',
    ],
  ])('%j', (failure, text) => {
    expect(say(failure)).toBe(`kubernetes${failure.kind === 'config' ? '' : ' ai'}: ${text}`);
  });

  test('403 names verb, resource, namespace, user, the Role and how to bind it', () => {
    const who = 'system:serviceaccount:infra:sluice';
    const message = `endpointslices.discovery.k8s.io is forbidden: User "${who}" cannot list resource "endpointslices" in API group "discovery.k8s.io" in the namespace "ai"`;
    expect(say({ kind: 'status', code: 403, message })).toBe(
      `kubernetes ai: not allowed to list endpointslices.discovery.k8s.io in namespace ai as "${who}"; ` +
        `apply the Role ${roleYaml('ai')} and bind it: ` +
        'kubectl create rolebinding sluice -n ai --role=sluice --serviceaccount=infra:sluice',
    );
    const other = failureProblem(
      { ...question, verb: 'watch', resource: 'services' },
      { kind: 'status', code: 403, message: 'no' },
    );
    expect(other.message).toBe('not allowed to watch services in namespace ai: no');
    expect(other.fix).toContain('--role=sluice --user=NAME');
  });

  test('Pods are in the Role where they were asked for', () => {
    const { fix } = failureProblem({ ...question, resource: 'pods' }, { kind: 'status', code: 403, message: 'no' });
    expect(fix).toContain(roleYaml('ai', 'pods'));
    expect(parse(roleYaml('ai', 'pods')).rules).toContainEqual({
      apiGroups: [''],
      resources: ['pods'],
      verbs: ['list', 'watch'],
    });
  });

  test('the Role is YAML and gives what is asked for, no more', () => {
    expect(parse(roleYaml('ai'))).toEqual({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'sluice', namespace: 'ai' },
      rules: [
        { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
      ],
    });
  });
});
