import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TYPE_URLS, type TypeUrl } from '../../../../src/snapshot/resource.ts';
import type { TypeSnapshot } from '../../../../src/snapshot/snapshot.ts';
import { type DeltaRequest, stepDelta } from '../../../../src/xds/protocol/step-delta.ts';
import { type Held, newTypeState, type Response } from '../../../../src/xds/protocol/type-state.ts';
import { type Action, Driver, FUZZ_TIMEOUT_MS, NAMES, RUNS, refusesEach, sequences, snapshotOf } from './fuzz.ts';

/** A client of the delta protocol, written from the specification and not from the server. */
class DeltaModel {
  readonly #driver: Driver<Held, DeltaRequest>;
  #snapshot: TypeSnapshot;
  readonly #typeUrl: TypeUrl;
  readonly #isolates: boolean;
  #asked = false;
  #wildcard = false;
  readonly #names = new Set<string>();
  /** Name to what the client was given last, and by which response. */
  readonly #holds = new Map<string, { readonly version: string; readonly nonce: string }>();
  readonly #received: Response[] = [];
  readonly #open: Response[] = [];
  /** Name to the version that was refused, while it may not be sent again. */
  readonly #refused = new Map<string, string>();
  /** Names that were asked for and not answered yet. */
  readonly #askedFor = new Set<string>();
  readonly #known: ReadonlyMap<string, string>;

  constructor(typeUrl: TypeUrl, isolates: boolean, known: Readonly<Record<string, number>>) {
    this.#typeUrl = typeUrl;
    this.#isolates = isolates;
    this.#driver = new Driver(stepDelta, newTypeState<Held>(typeUrl, isolates));
    this.#snapshot = snapshotOf(typeUrl, {});
    this.#known = new Map([...snapshotOf(typeUrl, known).resources].map(([name, { version }]) => [name, version]));
  }

  act(action: Action): void {
    if (action.kind === 'ask') this.#ask(action);
    else if (action.kind === 'answer') this.#answer(action.which, action.refuse);
    else if (action.kind === 'publish') this.#snapshot = snapshotOf(this.#typeUrl, action.contents);
    else {
      this.#noteChanges();
      const response = this.#driver.push(this.#snapshot, action);
      if (response !== undefined) this.#receive(response);
    }
  }

  /** What must hold at the end, once every answer was given and everything was sent. */
  finish(): void {
    while (this.#open.length > 0) this.#answer(0, false);
    this.#noteChanges();
    for (const response of this.#driver.drain(this.#snapshot)) this.#receive(response);
    expect(this.#driver.drain(this.#snapshot)).toEqual([]);
    if (!this.#asked) return;
    for (const name of NAMES.filter((name) => this.#wants(name))) {
      expect([name, this.#holds.get(name)?.version]).toEqual([name, this.#snapshot.resources.get(name)?.version]);
    }
  }

  #wants(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  #ask({ names, leave, nonce }: Extract<Action, { kind: 'ask' }>): void {
    const first = !this.#asked;
    const underWildcard = this.#wildcard;
    const nonces = {
      last: this.#received.at(-1)?.nonce ?? '',
      none: '',
      old: this.#received[0]?.nonce ?? '',
      wrong: 'x',
    };
    this.#asked = true;
    if (leave.includes('*')) this.#wildcard = false;
    for (const name of leave) this.#names.delete(name);
    if (names.includes('*') || (first && names.length === 0 && this.#typeUrl === TYPE_URLS.cluster))
      this.#wildcard = true;
    for (const name of names.filter((name) => name !== '*' && name !== '')) this.#names.add(name);
    for (const name of NAMES) if (!this.#wants(name) || (leave.includes(name) && !underWildcard)) this.#forget(name);
    // What is asked for by name is answered, refused before or not.
    for (const name of [...names, ...leave]) this.#askedFor.add(name);
    const initialVersions = first ? this.#known : new Map<string, string>();
    for (const [name, version] of initialVersions) if (this.#wants(name)) this.#holds.set(name, { version, nonce: '' });
    const request = {
      kind: 'request',
      subscribe: names,
      unsubscribe: leave,
      initialVersions,
      error: undefined,
    } as const;
    this.#driver.request({ ...request, nonce: nonces[nonce] });
  }

  #forget(name: string): void {
    this.#holds.delete(name);
    this.#refused.delete(name);
  }

  #answer(which: number, refuse: boolean): void {
    const [response] = this.#open.splice(which % Math.max(1, this.#open.length), 1);
    if (response === undefined) return;
    const { nonce } = response;
    const error = refuse ? 'no' : undefined;
    // The request before may have acknowledged it already.
    const waited = this.#driver.state.unanswered.some((waiting) => waiting.nonce === nonce);
    this.#driver.request({ kind: 'request', nonce, subscribe: [], unsubscribe: [], initialVersions: new Map(), error });
    if (!refuse || !waited || !refusesEach(response, this.#isolates)) return;
    for (const { name, version } of response.resources) {
      if (this.#holds.get(name)?.nonce === nonce) this.#refused.set(name, version);
    }
  }

  #receive(response: Response): void {
    const names = [...response.resources.map(({ name }) => name), ...response.removed];
    expect(new Set(names).size).toBe(names.length);
    for (const { name, version } of response.resources) {
      expect([name, this.#wants(name)]).toEqual([name, true]);
      if (!this.#askedFor.has(name)) expect(this.#refused.get(name)).not.toBe(version);
      this.#refused.delete(name);
      this.#holds.set(name, { version, nonce: response.nonce });
    }
    for (const name of response.removed) this.#holds.delete(name);
    for (const name of names) this.#askedFor.delete(name);
    this.#received.push(response);
    this.#open.push(response);
  }

  /** A refused version that was replaced may be sent again. */
  #noteChanges(): void {
    for (const [name, version] of this.#refused) {
      if (this.#snapshot.resources.get(name)?.version !== version) this.#refused.delete(name);
    }
  }
}

test(
  'delta: no sequence crashes, resends a refused version, or leaves out what is subscribed',
  () => {
    fc.assert(
      fc.property(sequences, ({ typeUrl, isolates, known, actions }) => {
        const model = new DeltaModel(typeUrl, isolates, known);
        for (const action of actions) model.act(action);
        model.finish();
      }),
      { numRuns: RUNS },
    );
  },
  FUZZ_TIMEOUT_MS,
);
