import type { ListenerName } from '../../model/listener.ts';
import type { RoutingPart } from '../../model/routing.ts';
import type { Service, ServiceName } from '../../model/service.ts';
import type { KubeObject, Objects, Resource } from './object.ts';
import type { Told } from './told.ts';

/** The status that an object is to have. */
export interface StatusWish {
  readonly resource: Omit<Resource<KubeObject>, 'read'>;
  readonly object: KubeObject;
  /** The parts of it that are ours, whole; other parts stay. */
  readonly status: Readonly<Record<string, unknown>>;
}

/** What objects of one source come to. */
export interface Translation {
  readonly part: RoutingPart;
  readonly statuses: readonly StatusWish[];
  /** What objects are told that have no conditions. */
  readonly told?: readonly Told[];
}

/** What a translation looks at besides the objects. */
export interface TranslationContext {
  /** RFC 3339: the transition time of conditions that change now. */
  readonly now: string;
  /** Services as the last translation had them: settings that cannot be read do not replace good ones. */
  readonly before: ReadonlyMap<ServiceName, Service>;
  /** Listeners that could not be opened, and why. */
  readonly closed: ReadonlyMap<ListenerName, string>;
}

/** One kind of routes: which objects it reads, and what it makes of them. Pure. */
export interface RouteKind {
  /** What the source is called: `Gateway API`. */
  readonly source: string;
  // Each resource has a type of its own; a translation gets it back by `Objects`.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly resources: readonly Resource<any>[];
  translate(objects: Objects, context: TranslationContext): Translation;
}
