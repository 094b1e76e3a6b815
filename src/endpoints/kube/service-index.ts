import { remember } from '../../base/remember.ts';
import { type KubeService, type Slice, sameSlice } from './slice.ts';

const NONE: ReadonlyMap<string, Slice> = new Map();

/**
 * The Services and slices of one namespace, by Service, so that one changed slice costs no more than its own Service.
 * Each change returns the names of the Services for which something may be different now.
 */
export class ServiceIndex {
  readonly #services = new Map<string, KubeService>();
  readonly #slices = new Map<string, Slice>();
  readonly #slicesOfService = new Map<string, Map<string, Slice>>();
  /** The slices in which a Pod is, by its uid; undefined: nobody has asked yet. */
  #slicesOfPod: Map<string, Set<Slice>> | undefined;

  /** The Service of this name, if there is one. */
  service(name: string): KubeService | undefined {
    return this.#services.get(name);
  }

  /** The names of all Services, sorted. */
  serviceNames(): readonly string[] {
    return [...this.#services.keys()].sort();
  }

  /** The slices of the Service of this name, in no particular order. */
  slices(service: string): readonly Slice[] {
    return [...(this.#slicesOfService.get(service) ?? NONE).values()];
  }

  /** The Services with one of these Pods among their endpoints. */
  servicesOf(uids: readonly string[]): readonly string[] {
    if (uids.length === 0) return [];
    if (this.#slicesOfPod === undefined) {
      this.#slicesOfPod = new Map();
      for (const slice of this.#slices.values()) this.#enterPods(slice);
    }
    const found = uids.flatMap((uid) => [...(this.#slicesOfPod?.get(uid) ?? [])]);
    return unique(found.map(({ service }) => service));
  }

  /** A new or changed Service. */
  putService(service: KubeService): readonly string[] {
    this.#services.set(service.name, service);
    return [service.name];
  }

  /** A deleted Service. */
  removeService(name: string): readonly string[] {
    return this.#services.delete(name) ? [name] : [];
  }

  /** A new or changed slice. */
  putSlice(slice: Slice): readonly string[] {
    const before = this.#slices.get(slice.name);
    if (before !== undefined && sameSlice(before, slice)) return [];
    // Labels can be edited: a slice may leave one Service for another.
    const left = before !== undefined && before.service !== slice.service ? this.removeSlice(slice.name) : [];
    if (before?.service === slice.service) this.#leavePods(before);
    this.#slices.set(slice.name, slice);
    this.#enterPods(slice);
    const siblings = this.#slicesOfService.get(slice.service) ?? new Map<string, Slice>();
    siblings.set(slice.name, slice);
    this.#slicesOfService.set(slice.service, siblings);
    return [...left, slice.service];
  }

  /** A deleted slice. */
  removeSlice(name: string): readonly string[] {
    const before = this.#slices.get(name);
    if (before === undefined) return [];
    this.#slices.delete(name);
    this.#leavePods(before);
    const siblings = this.#slicesOfService.get(before.service);
    siblings?.delete(name);
    if (siblings?.size === 0) this.#slicesOfService.delete(before.service);
    return [before.service];
  }

  /** A complete list of Services: those that are not in it are gone. */
  replaceServices(services: readonly KubeService[]): readonly string[] {
    const listed = new Set(services.map(({ name }) => name));
    const gone = [...this.#services.keys()].filter((name) => !listed.has(name));
    return unique([
      ...gone.flatMap((name) => this.removeService(name)),
      ...services.flatMap((service) => this.putService(service)),
    ]);
  }

  /** A complete list of slices: those that are not in it are gone. */
  replaceSlices(slices: readonly Slice[]): readonly string[] {
    const listed = new Set(slices.map(({ name }) => name));
    const gone = [...this.#slices.keys()].filter((name) => !listed.has(name));
    return unique([
      ...gone.flatMap((name) => this.removeSlice(name)),
      ...slices.flatMap((slice) => this.putSlice(slice)),
    ]);
  }

  #enterPods(slice: Slice): void {
    if (this.#slicesOfPod === undefined) return;
    for (const { pod } of slice.endpoints) {
      if (pod !== '') remember(this.#slicesOfPod, pod, () => new Set<Slice>()).add(slice);
    }
  }

  #leavePods(slice: Slice): void {
    for (const { pod } of slice.endpoints) {
      const slices = this.#slicesOfPod?.get(pod);
      slices?.delete(slice);
      if (slices?.size === 0) this.#slicesOfPod?.delete(pod);
    }
  }
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
