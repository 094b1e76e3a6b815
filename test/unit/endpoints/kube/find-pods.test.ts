import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Finding,
  findPods,
  type KubeLocator,
  type ServiceKnowledge,
} from '../../../../src/endpoints/kube/find-pods.ts';
import { readPod } from '../../../../src/endpoints/kube/pod-index.ts';
import type { KubeService, Slice, SliceEndpoint } from '../../../../src/endpoints/kube/slice.ts';
import { formatAddress } from '../../../../src/model/locator.ts';
import { byAddress } from '../../../../src/model/pod.ts';

const locator: KubeLocator = {
  kind: 'kubernetes',
  namespace: 'ai',
  service: 'codec',
  port: { kind: 'service', port: 80 },
};
const byPod: KubeLocator = { ...locator, port: { kind: 'pod', port: 8080 } };
const service: KubeService = {
  name: 'codec',
  externalName: undefined,
  ports: [{ name: '', port: 80 }],
  family: 'IPv4',
  dualStack: false,
};
const known: ServiceKnowledge = { kind: 'known', service };

function slice(name: string, endpoints: readonly SliceEndpoint[], more: Partial<Slice> = {}): Slice {
  return { name, service: 'codec', family: 'IPv4', ports: [{ name: '', port: 8080 }], endpoints, unready: 0, ...more };
}
const at = (ip: string, state: 'ready' | 'draining' = 'ready', pod = '') => ({ ip, state, pod });

function say(finding: Finding): string {
  if (finding.kind === 'unclear') return 'unclear';
  return finding.pods.map((pod) => (pod.state === 'ready' ? formatAddress(pod) : `(${formatAddress(pod)})`)).join(' ');
}
const messages = (finding: Finding) => finding.problems.map(({ severity, message }) => `${severity}: ${message}`);

describe('findPods', () => {
  test('merges slices: sorted, each address once, ready before draining', () => {
    const slices = [
      slice('b', [at('10.0.0.9'), at('10.0.0.1', 'draining')]),
      slice('a', [at('10.0.0.1'), at('10.0.0.5', 'draining')]),
    ];
    const finding = findPods(locator, 'ai', known, slices);
    expect(say(finding)).toBe('10.0.0.1:8080 (10.0.0.5:8080) 10.0.0.9:8080');
    expect(finding.problems).toEqual([]);
  });

  test('any slices in any order: the same pods, sorted, no address twice, no pod of both families twice', () => {
    const endpoint = fc.record({ pod: fc.nat(20), draining: fc.boolean() });
    const one = fc.record({ six: fc.boolean(), endpoints: fc.array(endpoint, { maxLength: 10 }) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 6 }), fc.nat(), (specs, shift) => {
        const slices = specs.map(({ six, endpoints }, number) =>
          slice(
            `s${number}`,
            endpoints.map(({ pod, draining }) =>
              at(six ? `fd00::${pod + 1}` : `10.0.0.${pod + 1}`, draining ? 'draining' : 'ready', `pod-${pod}`),
            ),
            { family: six ? 'IPv6' : 'IPv4' },
          ),
        );
        const turn = slices.length === 0 ? 0 : shift % slices.length;
        const finding = findPods(locator, 'ai', known, slices);
        const turned = findPods(locator, 'ai', known, [...slices.slice(turn), ...slices.slice(0, turn)].reverse());
        expect(turned).toEqual(finding);
        const pods = finding.kind === 'found' ? finding.pods : [];
        expect([...pods].sort(byAddress)).toEqual(pods);
        const numbers = pods.map(({ ip }) => Number(ip.split(/[.:]/).at(-1)));
        expect(new Set(numbers).size).toBe(numbers.length);
        const wanted = new Set(specs.flatMap(({ endpoints }) => endpoints.map(({ pod }) => pod + 1)));
        expect(new Set(numbers)).toEqual(wanted);
      }),
    );
  });

  test('Pods may say their own limits where that is asked for, and are left out until they are known', () => {
    const slices = [
      slice('a', [
        at('10.0.0.1', 'ready', 'one'),
        at('10.0.0.2', 'ready', 'silent'),
        at('10.0.0.3', 'ready', 'unknown'),
        at('10.0.0.4', 'draining', 'gone'),
        at('10.0.0.5'),
        at('10.0.0.6', 'ready', 'bad'),
      ]),
    ];
    const kubePods = new Map(
      [
        { metadata: { name: 'codec-1', uid: 'one', annotations: { 'sluice.dev/limit': '4' } } },
        { metadata: { name: 'codec-2', uid: 'silent' } },
        { metadata: { name: 'codec-6', uid: 'bad', annotations: { 'sluice.dev/limit': '0' } } },
      ].map((object) => [object.metadata.uid, readPod(object)]),
    );
    const asked = { ...locator, podLimits: true } as const;
    const finding = findPods(asked, 'ai', known, slices, (uid) => kubePods.get(uid));
    expect(finding.kind === 'found' && finding.pods.map(({ ip, limit }) => [ip, limit])).toEqual([
      ['10.0.0.1', 4],
      ['10.0.0.2', undefined],
      ['10.0.0.4', undefined],
      ['10.0.0.5', undefined],
      ['10.0.0.6', undefined],
    ]);
    expect(messages(finding)).toEqual([
      'warning: sluice.dev/limit: "0" is no limit; that of the service holds for Pod codec-6',
    ]);
    expect(say(findPods(locator, 'ai', known, slices, (uid) => kubePods.get(uid)))).toContain('10.0.0.3');
  });

  test('a dual-stack pod is taken by the family that the Service asked for first', () => {
    const slices = [
      slice('four', [at('10.0.0.1', 'ready', 'one'), at('10.0.0.2', 'ready', 'two')]),
      slice('six', [at('fd00::1', 'ready', 'one')], { family: 'IPv6' }),
    ];
    expect(say(findPods(locator, 'ai', known, slices))).toBe('10.0.0.1:8080 10.0.0.2:8080');
    const six: ServiceKnowledge = { kind: 'known', service: { ...service, family: 'IPv6' } };
    expect(say(findPods(locator, 'ai', six, slices))).toBe('10.0.0.2:8080 [fd00::1]:8080');
  });

  test('a dual-stack Service has pods of its first family only, but for those that do not say whose they are', () => {
    const both: ServiceKnowledge = { kind: 'known', service: { ...service, dualStack: true } };
    const six = slice('six', [at('fd00::1', 'ready', 'one'), at('fd00::9')], { family: 'IPv6' });
    expect(say(findPods(locator, 'ai', both, [slice('four', []), six]))).toBe('[fd00::9]:8080');
    expect(say(findPods(locator, 'ai', both, [six]))).toBe('[fd00::1]:8080 [fd00::9]:8080');
  });

  test('addresses that do not say whose they are all count', () => {
    const slices = [slice('four', [at('10.0.0.1')]), slice('six', [at('fd00::1')], { family: 'IPv6' })];
    expect(say(findPods(locator, 'ai', known, slices))).toBe('10.0.0.1:8080 [fd00::1]:8080');
  });

  test.each([
    [[], 'warning: the Service has no pods'],
    [[slice('a', [], { unready: 2 })], 'warning: no pod is ready (2 not ready)'],
    [
      [slice('a', [at('10.0.0.1', 'draining')], { unready: 1 })],
      'warning: no pod is ready (1 not ready, 1 terminating)',
    ],
  ])('no ready pod: says so', (slices, message) => {
    expect(messages(findPods(locator, 'ai', known, slices))).toEqual([message]);
  });

  test('no such Service: names some that are there', () => {
    const absent: ServiceKnowledge = { kind: 'absent', others: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] };
    const finding = findPods(locator, 'ai', absent, []);
    expect(finding).toEqual({
      kind: 'found',
      pods: [],
      problems: [
        {
          severity: 'error',
          subject: 'kubernetes ai/codec',
          message: 'there is no Service codec in namespace ai',
          fix: 'the Services there are: a, b, c, d, e and 2 more',
        },
      ],
    });
  });

  test('no such Service, but slices of it: their pods by their own port only', () => {
    const absent: ServiceKnowledge = { kind: 'absent', others: [] };
    const slices = [slice('a', [at('10.0.0.1')])];
    expect(say(findPods(byPod, 'ai', absent, slices))).toBe('10.0.0.1:8080');
    expect(say(findPods(locator, 'ai', absent, slices))).toBe('');
    expect(findPods(byPod, 'ai', absent, slices).problems[0]?.fix).toContain('check the namespace');
  });

  test('Services that cannot be read: pods by their own port only', () => {
    const slices = [slice('a', [at('10.0.0.1')])];
    expect(findPods(locator, 'ai', { kind: 'unknown' }, slices)).toEqual({ kind: 'unclear', problems: [] });
    expect(say(findPods(byPod, 'ai', { kind: 'unknown' }, slices))).toBe('10.0.0.1:8080');
  });

  test('a port that cannot be led to the pods is unclear, not empty', () => {
    const finding = findPods({ ...locator, port: { kind: 'service', port: 81 } }, 'ai', known, [
      slice('a', [at('10.0.0.1')]),
    ]);
    expect(finding.kind).toBe('unclear');
    expect(messages(finding)).toEqual(['error: Service codec has no TCP port 81']);
  });

  test('ExternalName: what to write instead', () => {
    const far: ServiceKnowledge = { kind: 'known', service: { ...service, externalName: 'far.example' } };
    const finding = findPods(locator, 'ai', far, []);
    expect(say(finding)).toBe('');
    expect(finding.problems[0]?.fix).toBe('write dns: {host: far.example, port: …} instead');
  });
});
