import { expect, test } from 'vitest';
import { TYPE_URLS, type XdsResource } from '../../../../src/snapshot/resource.ts';
import { type DeltaRequest, stepDelta } from '../../../../src/xds/protocol/step-delta.ts';
import { type SotwRequest, stepSotw } from '../../../../src/xds/protocol/step-sotw.ts';
import { type Held, newTypeState } from '../../../../src/xds/protocol/type-state.ts';
import { Driver, snapshotOf } from './fuzz.ts';

// What a client does that stops at the first bad resource, as Envoy does with endpoints and routes.
const typeUrl = TYPE_URLS.routes;
const contents = { a: 0, b: 0, c: 0 };
const names = Object.keys(contents);
const all = { removals: 'send', scope: 'all', maxBytes: 1000 } as const;

function delta(): Driver<Held, DeltaRequest> & { ask(nonce: string, error?: string): void } {
  const driver = new Driver(stepDelta, newTypeState<Held>(typeUrl, true));
  return Object.assign(driver, {
    ask: (nonce: string, error?: string) => {
      const subscribe = nonce === '' ? names : [];
      driver.request({ kind: 'request', nonce, subscribe, unsubscribe: [], initialVersions: new Map(), error });
    },
  });
}

function sotw(): Driver<XdsResource, SotwRequest> & { ask(nonce: string, error?: string): void } {
  const driver = new Driver(stepSotw, newTypeState<XdsResource>(typeUrl, true));
  return Object.assign(driver, {
    ask: (nonce: string, error?: string) => driver.request({ kind: 'request', nonce, version: '', names, error }),
  });
}

test.each([
  { variant: 'delta', make: delta },
  { variant: 'state of the world', make: sotw },
])(
  '$variant: after a NACK of several each comes once more by itself, and what is refused then stays refused',
  ({ make }) => {
    const driver = make();
    driver.ask('');
    let snapshot = snapshotOf(typeUrl, contents);
    const sent = () => driver.push(snapshot, all)?.resources.map(({ name }) => name);
    expect(sent()).toEqual(names);
    driver.ask('1', 'b is bad');
    expect([sent(), sent(), sent(), sent()]).toEqual([['a'], ['b'], ['c'], undefined]);
    driver.ask('2');
    driver.ask('3', 'b is bad');
    driver.ask('4');
    expect(sent()).toBeUndefined();
    expect([...driver.state.nacks.keys()]).toEqual(['b']);
    snapshot = snapshotOf(typeUrl, { ...contents, b: 1, c: 1 });
    expect(sent()).toEqual(['b', 'c']);
    driver.ask('5');
    expect(driver.state.nacks.size).toBe(0);
  },
);
