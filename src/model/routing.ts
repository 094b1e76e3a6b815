import type { AccessLog } from './access-log.ts';
import type { HeaderBounds } from './header-bounds.ts';
import type { Listener } from './listener.ts';
import type { Problem } from './problem.ts';
import type { Route } from './route.ts';
import type { Service, ServiceName } from './service.ts';
import type { Tracing } from './tracing.ts';

/** What the user wants, checked, before anyone knows which pods there are. */
export interface Routing {
  readonly listeners: readonly Listener[];
  /** In the order of their names. */
  readonly services: readonly Service[];
  /** In the order in which they are tried. */
  readonly routes: readonly Route[];
  /** Of the requests at all listeners; undefined: none is kept. */
  readonly accessLog?: AccessLog;
  /** The same of spans; undefined: none are made. */
  readonly tracing?: Tracing;
  /** At all listeners, and of all pods' answers; undefined: `DEFAULT_HEADER_BOUNDS`. */
  readonly headerBounds?: HeaderBounds;
}

/** What one source of routes wants: the route file, or all objects of one kind. */
export interface RoutingPart extends Routing {
  /** What the source is called in messages: `route file`, `Gateway API`. */
  readonly source: string;
  /** Those of `services` about which the source has said nothing but where their pods are: another source may say more. */
  readonly implied: ReadonlySet<ServiceName>;
  /** What is wrong in this source, and left out of its routing. */
  readonly problems: readonly Problem[];
}
