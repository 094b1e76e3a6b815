import { remember } from '../../base/remember.ts';
import type { Attachment } from './attach.ts';
import type { BackendReferrer, Backends } from './backends.ts';
import type { BackendReference, Filter, GrpcRoute, HttpRoute } from './objects.ts';
import type { TranslatedRoute } from './routes.ts';

interface Known {
  /** Everything outside of the object that its translation depends on. */
  readonly key: string;
  readonly route: TranslatedRoute;
}

/** Routes as they were translated before: of a thousand, one that changes is translated. */
export class RememberedRoutes {
  readonly #known = new WeakMap<HttpRoute | GrpcRoute, Known>();
  readonly #references = new WeakMap<HttpRoute | GrpcRoute, readonly BackendReference[]>();

  /** The very same as before where the object is, its listeners are called as they were, and its backends are what they were. */
  translate<T extends HttpRoute | GrpcRoute>(
    kind: BackendReferrer['kind'],
    object: T,
    { attachments, backends }: { readonly attachments: readonly Attachment[]; readonly backends: Backends },
    make: (object: T, attachments: readonly Attachment[], backends: Backends) => TranslatedRoute,
  ): TranslatedRoute {
    const from = { kind, namespace: object.metadata.namespace ?? '' };
    // Asked for every time: a service that nobody asks for is not there.
    const found = remember(this.#references, object, referencesOf).map((ref) => {
      const backend = backends.find(from, ref);
      return backend.kind === 'found' ? [backend.service.name, backend.service.discipline.kind] : [backend.fault];
    });
    const at = attachments.map(({ listeners }) =>
      listeners.map(({ spec, served }) => [spec.port, served.map(({ name }) => name)]),
    );
    const key = JSON.stringify([at, found]);
    const known = this.#known.get(object);
    if (known?.key === key) return known.route;
    const route = make(object, attachments, backends);
    this.#known.set(object, { key, route });
    return route;
  }
}

/** Everything that a route's rules lead to, copies among it. */
function referencesOf({ spec }: HttpRoute | GrpcRoute): readonly BackendReference[] {
  return (spec.rules ?? []).flatMap(({ backendRefs = [], filters = [] }) => [
    ...backendRefs,
    ...[...filters, ...backendRefs.flatMap((ref) => ref.filters ?? [])].flatMap(mirrorOf),
  ]);
}

function mirrorOf({ requestMirror }: Filter): readonly BackendReference[] {
  return requestMirror === undefined ? [] : [requestMirror.backendRef];
}
