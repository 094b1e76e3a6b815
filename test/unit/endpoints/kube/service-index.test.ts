import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ServiceIndex } from '../../../../src/endpoints/kube/service-index.ts';
import type { KubeService, Slice } from '../../../../src/endpoints/kube/slice.ts';

function slice(name: string, service: string, pods: readonly number[]): Slice {
  const endpoints = pods.map((pod) => ({ ip: `10.0.0.${pod}`, state: 'ready' as const, pod: '' }));
  return { name, service, family: 'IPv4', ports: [], endpoints, unready: 0 };
}
const service = (name: string): KubeService => ({
  name,
  externalName: undefined,
  ports: [],
  family: 'IPv4',
  dualStack: false,
});

describe('ServiceIndex', () => {
  test('after any events it holds what a plain map of slices would, and names every Service that changed', () => {
    const name = fc.constantFrom('s1', 's2', 's3', 's4');
    const owner = fc.constantFrom('codec', 'asr', 'ocr');
    const any = fc.record({ name, owner, pods: fc.array(fc.nat(3), { maxLength: 3 }) });
    const event = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), it: any }),
      fc.record({ kind: fc.constant('remove' as const), name }),
      fc.record({ kind: fc.constant('replace' as const), all: fc.uniqueArray(any, { selector: (it) => it.name }) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const index = new ServiceIndex();
        const plain = new Map<string, Slice>();
        const truth = (of: string) =>
          [...plain.values()].filter((each) => each.service === of).sort((a, b) => (a.name < b.name ? -1 : 1));
        const held = (of: string) => [...index.slices(of)].sort((a, b) => (a.name < b.name ? -1 : 1));
        for (const each of events) {
          const before = new Map(['codec', 'asr', 'ocr'].map((of) => [of, JSON.stringify(truth(of))]));
          let touched: readonly string[];
          if (each.kind === 'put') {
            const made = slice(each.it.name, each.it.owner, each.it.pods);
            plain.set(made.name, made);
            touched = index.putSlice(made);
          } else if (each.kind === 'remove') {
            plain.delete(each.name);
            touched = index.removeSlice(each.name);
          } else {
            const made = each.all.map((it) => slice(it.name, it.owner, it.pods));
            plain.clear();
            for (const it of made) plain.set(it.name, it);
            touched = index.replaceSlices(made);
          }
          const changed = [...before].filter(([of, text]) => JSON.stringify(truth(of)) !== text).map(([of]) => of);
          expect([...new Set(touched)].sort()).toEqual(changed.sort());
          for (const of of before.keys()) expect(held(of)).toEqual(truth(of));
        }
      }),
    );
  });

  test('Services come, go and are replaced', () => {
    const index = new ServiceIndex();
    expect(index.replaceServices([service('b'), service('a')])).toEqual(['b', 'a']);
    expect(index.serviceNames()).toEqual(['a', 'b']);
    expect(index.putService(service('c'))).toEqual(['c']);
    expect(index.removeService('c')).toEqual(['c']);
    expect(index.removeService('c')).toEqual([]);
    expect([...index.replaceServices([service('a')])].sort()).toEqual(['a', 'b']);
    expect(index.service('b')).toBeUndefined();
    expect(index.service('a')).toEqual(service('a'));
  });
});
