import type { TypeState } from './type-state.ts';

/** What the client of a stream has taken, as it is at the moment it is made. */
export class Holdings {
  readonly #types: ReadonlyMap<string, TypeState>;
  readonly #underway = new Map<string, ReadonlyMap<string, string>>();

  constructor(types: ReadonlyMap<string, TypeState>) {
    this.#types = types;
  }

  /** The version that it was sent last, or said that it has; undefined: nothing. */
  sent(typeUrl: string, name: string): string | undefined {
    const version = this.#types.get(typeUrl)?.held.get(name)?.version;
    return version === '' ? undefined : version;
  }

  /** The version that it has taken, if that is what it was sent last; undefined: it has not answered, or refused it. */
  taken(typeUrl: string, name: string): string | undefined {
    const state = this.#types.get(typeUrl);
    const version = this.sent(typeUrl, name);
    if (state === undefined || version === undefined || state.nacks.get(name)?.version === version) return undefined;
    return this.#unanswered(state).get(name) === version ? undefined : version;
  }

  /** Whether it had something of a type when it came; state of the world, where it does not say what. */
  isReturning(typeUrl: string): boolean {
    return this.#types.get(typeUrl)?.returning === true;
  }

  /** What it was sent of a type, or said that it has. */
  names(typeUrl: string): readonly string[] {
    const held = this.#types.get(typeUrl)?.held ?? new Map<string, { readonly version: string }>();
    return [...held].flatMap(([name, { version }]) => (version === '' ? [] : [name]));
  }

  /** Whether the client is known to have nothing of this name: it has taken that it was removed, or never had it. */
  lacks(typeUrl: string, name: string): boolean {
    const state = this.#types.get(typeUrl);
    if (state === undefined || this.sent(typeUrl, name) !== undefined) return false;
    return !state.unanswered.some(({ removed }) => removed.includes(name));
  }

  #unanswered(state: TypeState): ReadonlyMap<string, string> {
    const known = this.#underway.get(state.typeUrl);
    if (known !== undefined) return known;
    const versions = state.unanswered.flatMap(({ resources }) =>
      resources.map(({ name, version }) => [name, version] as const),
    );
    const made = new Map(versions);
    this.#underway.set(state.typeUrl, made);
    return made;
  }
}
