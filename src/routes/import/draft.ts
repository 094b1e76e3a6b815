import type { Position } from '../../model/problem.ts';
import type { RouteMatch } from '../../model/route.ts';
import type { Remarks } from '../objects/remark.ts';
import type { Value } from '../objects/value.ts';

/** A value as it is written into a route file. */
export type Yaml = string | number | boolean | readonly Yaml[] | YamlMap;

/** A map of such values. */
export interface YamlMap {
  readonly [key: string]: Yaml;
}

/** Where something in the draft comes from. */
export interface Origin {
  readonly file: string;
  readonly at: Position;
  /** `Ingress shop/web`, `cluster llm`. */
  readonly object: string;
}

/** Something that was not carried over as it was. */
export interface Finding extends Origin {
  /** A part is missing from the route file; else it is there, but for a difference. */
  readonly refused: boolean;
  readonly message: string;
  /** What to do instead. */
  readonly fix: string;
}

/** A service of the route file to be. */
export interface DraftService {
  /** Equal for the same pods. */
  readonly key: string;
  /** What it is called if nothing else is. */
  readonly name: string;
  /** A longer name, for when something else is. */
  readonly longName: string;
  readonly origin: Origin;
  readonly locator: YamlMap;
  /** Its other keys. */
  readonly settings: YamlMap;
}

/** A route of the route file to be. */
export interface DraftRoute {
  readonly origin: Origin;
  readonly match: RouteMatch;
  /** The key of its service; undefined: it is a redirect. */
  readonly service?: string;
  /** Its other keys. */
  readonly keys: YamlMap;
}

/** A route file that is being put together from foreign files. */
export class Draft {
  /** The services by key, in the order in which they came. */
  readonly services = new Map<string, DraftService>();
  readonly routes: DraftRoute[] = [];
  readonly findings: Finding[] = [];
  /** The keys of `listen`; the first file that says something has the word. */
  listen: YamlMap | undefined;
}

/** An object that is being translated: says where things come from, and what does not come over. */
export class Subject {
  readonly draft: Draft;
  readonly file: string;
  readonly object: string;
  readonly #seen = new Set<string>();

  constructor(draft: Draft, file: string, object: string) {
    this.draft = draft;
    this.file = file;
    this.object = object;
  }

  origin(at: Position): Origin {
    return { file: this.file, at, object: this.object };
  }

  /** Something that has no place in a route file. */
  refuse(at: Position, message: string, fix: string): void {
    this.#find(true, at, message, fix);
  }

  /** Something that is a little different in the route file. */
  note(at: Position, message: string, fix: string): void {
    this.#find(false, at, message, fix);
  }

  /** Finds what the reader of the object has to say. */
  remark({ all }: Remarks): void {
    for (const { refused, at, message, fix } of all) this.#find(refused, at, message, fix);
  }

  /** Refuses whatever nobody has read of a value, which is told by this. */
  refuseUnread(value: Value, path = ''): void {
    for (const one of value.unread(path)) {
      this.refuse(one.at, `${one.path} has no place in a route file`, 'see docs/route-file.md for what has one');
    }
    value.done();
  }

  /** Adds a service, or what is said of it to one that is there with the same pods; returns its key. */
  service(at: Position, { name, longName, locator, settings = {} }: NewService): string {
    const key = JSON.stringify(locator);
    const known = this.draft.services.get(key);
    if (known === undefined) {
      const origin = this.origin(at);
      this.draft.services.set(key, { key, name, longName: longName ?? name, origin, locator, settings });
    } else {
      this.draft.services.set(key, { ...known, settings: this.#merged(at, known, settings) });
    }
    return key;
  }

  /** Says more of a service that is there. */
  tell(at: Position, key: string, settings: YamlMap): void {
    const known = this.draft.services.get(key);
    if (known !== undefined) {
      this.draft.services.set(key, { ...known, settings: this.#merged(at, known, settings) });
    }
  }

  /** Says something else of a service that is there. */
  change(key: string, settings: YamlMap): void {
    const known = this.draft.services.get(key);
    if (known !== undefined) this.draft.services.set(key, { ...known, settings: { ...known.settings, ...settings } });
  }

  route(at: Position, route: Omit<DraftRoute, 'origin'>): void {
    this.draft.routes.push({ origin: this.origin(at), ...route });
  }

  /** What was said first holds. */
  #merged(at: Position, { name, settings }: DraftService, more: YamlMap, path = ''): YamlMap {
    const merged: Record<string, Yaml> = { ...settings };
    for (const [key, value] of Object.entries(more)) {
      const own = `${path}${key}`;
      const before = merged[key];
      if (before === undefined) merged[key] = value;
      else if (isMap(before) && isMap(value)) {
        const inner = { key: '', name, longName: name, origin: this.origin(at), locator: {}, settings: before };
        merged[key] = this.#merged(at, inner, value, `${own}.`);
      } else if (JSON.stringify(before) !== JSON.stringify(value)) {
        const message = `${own}: ${String(value)} for the pods of ${name}, of which ${String(before)} was said before`;
        this.refuse(at, message, 'the pods of a service have one value: write the one you want');
      }
    }
    return merged;
  }

  #find(refused: boolean, at: Position, message: string, fix: string): void {
    // The same of every rule of one object would say nothing new.
    if (this.#seen.has(`${at.line} ${message}`)) return;
    this.#seen.add(`${at.line} ${message}`);
    this.draft.findings.push({ refused, message, fix, ...this.origin(at) });
  }
}

/** A service to be added. */
export interface NewService {
  readonly name: string;
  readonly longName?: string;
  readonly locator: YamlMap;
  readonly settings?: YamlMap;
}

/** Whether it is a map. */
export function isMap(value: Yaml | undefined): value is YamlMap {
  return typeof value === 'object' && !Array.isArray(value);
}

/** `shop/web`, or `web` when the object does not say in which namespace it is. */
export function fullName({ namespace, name }: { readonly namespace?: string | undefined; readonly name: string }) {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
