import type { Locator } from '../model/locator.ts';
import type { Pod } from '../model/pod.ts';
import type { SourceState } from '../model/source.ts';
import type { PodSource } from './pod-source.ts';

/** Makes the source for one kind of locator; called when the first such locator is wanted. */
export type MakePodSource = () => Promise<PodSource>;

const PENDING: SourceState<readonly Pod[]> = { kind: 'pending', problems: [] };

/**
 * All pod sources as one: each locator is answered by the source of its kind. A source is made only once a
 * route needs it: whoever has no cluster asks for none.
 */
export class PodSources implements PodSource {
  readonly name = 'pods';
  readonly #make: Readonly<Record<Locator['kind'], MakePodSource>>;
  readonly #sources = new Map<Locator['kind'], PodSource>();
  readonly #making = new Map<Locator['kind'], Promise<void>>();
  #wanted: readonly Locator[] = [];
  #start: ((source: PodSource) => void) | undefined;

  constructor(make: Readonly<Record<Locator['kind'], MakePodSource>>) {
    this.#make = make;
  }

  want(locators: readonly Locator[]): void {
    this.#wanted = locators;
    for (const source of this.#sources.values()) source.want(locators);
    this.#makeMissing();
  }

  pods(locator: Locator): SourceState<readonly Pod[]> {
    return this.#sources.get(locator.kind)?.pods(locator) ?? PENDING;
  }

  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    const running: Promise<void>[] = [];
    this.#start = (source) => {
      running.push(source.run(signal, changed));
      changed();
    };
    for (const source of this.#sources.values()) this.#start(source);
    this.#makeMissing();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.all([...this.#making.values(), ...running]);
  }

  #makeMissing(): void {
    for (const kind of new Set(this.#wanted.map((locator) => locator.kind))) {
      if (this.#making.has(kind)) continue;
      const made = this.#make[kind]().then((source) => {
        this.#sources.set(kind, source);
        source.want(this.#wanted);
        this.#start?.(source);
      });
      this.#making.set(kind, made);
    }
  }
}
