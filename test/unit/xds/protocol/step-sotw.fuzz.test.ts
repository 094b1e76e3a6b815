import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TYPE_URLS, type TypeUrl, type XdsResource } from '../../../../src/snapshot/resource.ts';
import type { TypeSnapshot } from '../../../../src/snapshot/snapshot.ts';
import { type SotwRequest, stepSotw } from '../../../../src/xds/protocol/step-sotw.ts';
import { newTypeState, type Response } from '../../../../src/xds/protocol/type-state.ts';
import { type Action, Driver, FUZZ_TIMEOUT_MS, NAMES, RUNS, refusesEach, sequences, snapshotOf } from './fuzz.ts';

/** A client of the state-of-the-world protocol, written from the specification and not from the server. */
class SotwModel {
  readonly #driver: Driver<XdsResource, SotwRequest>;
  readonly #typeUrl: TypeUrl;
  readonly #isolates: boolean;
  #snapshot: TypeSnapshot;
  #asked = false;
  #named = false;
  #wildcard = false;
  #names: ReadonlySet<string> = new Set();
  readonly #holds = new Map<string, { readonly version: string; readonly nonce: string }>();
  readonly #received: Response[] = [];
  readonly #refused = new Map<string, string>();
  /** What the newest list of clusters held, while it may not be repeated. */
  #lastList: string | undefined;

  constructor(typeUrl: TypeUrl, isolates: boolean) {
    this.#typeUrl = typeUrl;
    this.#isolates = isolates;
    this.#driver = new Driver(stepSotw, newTypeState<XdsResource>(typeUrl, isolates));
    this.#snapshot = snapshotOf(typeUrl, {});
  }

  act(action: Action): void {
    if (action.kind === 'ask') this.#ask(action.names, this.#nonce(action.nonce));
    else if (action.kind === 'answer') this.#answer(action.which, action.refuse);
    else if (action.kind === 'publish') this.#snapshot = snapshotOf(this.#typeUrl, action.contents);
    else {
      this.#noteChanges();
      const response = this.#driver.push(this.#snapshot, action);
      if (response !== undefined) this.#receive(response);
    }
  }

  finish(): void {
    this.#noteChanges();
    for (const response of this.#driver.drain(this.#snapshot)) this.#receive(response);
    expect(this.#driver.drain(this.#snapshot)).toEqual([]);
    if (!this.#asked) return;
    for (const name of NAMES.filter((name) => this.#wants(name))) {
      const version = this.#snapshot.resources.get(name)?.version;
      // Endpoints that have gone are not taken back.
      if (version === undefined && !this.#isList) continue;
      expect([name, this.#holds.get(name)?.version]).toEqual([name, version]);
    }
  }

  get #isList(): boolean {
    return this.#typeUrl === TYPE_URLS.cluster;
  }

  #wants(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  #nonce(which: 'last' | 'none' | 'old' | 'wrong'): string {
    const last = this.#received.at(-1)?.nonce ?? '';
    return { last, none: '', old: this.#received[0]?.nonce ?? '', wrong: 'x' }[which];
  }

  #ask(list: readonly string[], nonce: string): void {
    const last = this.#received.at(-1)?.nonce;
    this.#driver.request({ kind: 'request', nonce, version: '', names: list, error: undefined });
    if (last !== undefined && nonce !== '' && nonce !== last) return;
    this.#asked = true;
    this.#named ||= list.length > 0;
    const wildcard = list.includes('*') || (!this.#named && this.#isList);
    if (wildcard && !this.#wildcard) this.#lastList = undefined;
    this.#wildcard = wildcard;
    this.#names = new Set(list.filter((name) => name !== '*' && name !== ''));
    for (const name of NAMES.filter((name) => !this.#wants(name))) {
      if (this.#holds.delete(name)) this.#lastList = undefined;
      this.#refused.delete(name);
    }
  }

  /** Answers the newest response, or an older one, naming what is subscribed already. */
  #answer(which: number, refuse: boolean): void {
    const response = this.#received.at(-1 - which);
    if (response === undefined) return;
    const { nonce } = response;
    const waited = this.#driver.state.unanswered.some((waiting) => waiting.nonce === nonce);
    const names = this.#wildcard && this.#named ? ['*', ...this.#names] : [...this.#names];
    this.#driver.request({ kind: 'request', nonce, version: '', names, error: refuse ? 'no' : undefined });
    if (!refuse || !waited || !refusesEach(response, this.#isolates)) return;
    for (const { name, version } of response.resources) {
      if (this.#holds.get(name)?.nonce === nonce) this.#refused.set(name, version);
    }
  }

  #receive(response: Response): void {
    const listed = new Set(response.resources.map(({ name }) => name));
    const gone = this.#isList ? [...this.#holds.keys()].filter((name) => !listed.has(name)) : [];
    expect([...response.removed].sort()).toEqual(gone.sort());
    const list = JSON.stringify(response.resources.map(({ name, version }) => [name, version]));
    if (this.#isList) {
      // Repeats nothing, be it refused or not, and leaves out what has gone.
      expect(list).not.toBe(this.#lastList);
      this.#lastList = list;
      this.#holds.clear();
    }
    for (const { name, version } of response.resources) {
      expect([name, this.#wants(name)]).toEqual([name, true]);
      if (!this.#isList) expect(this.#refused.get(name)).not.toBe(version);
      this.#holds.set(name, { version, nonce: response.nonce });
    }
    this.#received.push(response);
  }

  #noteChanges(): void {
    for (const [name, version] of this.#refused) {
      if (this.#snapshot.resources.get(name)?.version !== version) this.#refused.delete(name);
    }
  }
}

test(
  'state of the world: no sequence crashes, resends a refused version, or leaves out what is subscribed',
  () => {
    fc.assert(
      fc.property(sequences, ({ typeUrl, isolates, actions }) => {
        const model = new SotwModel(typeUrl, isolates);
        for (const action of actions) model.act(action);
        model.finish();
      }),
      { numRuns: RUNS },
    );
  },
  FUZZ_TIMEOUT_MS,
);
