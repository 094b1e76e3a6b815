import { type KubeObject, type Resource, withoutManagedFields } from '../objects/object.ts';

/*
 * Kinds of Istio that say where requests go. Their specs are read key by key, and their statuses are Istio's own.
 */

/** The group of both kinds. */
const GROUP = 'networking.istio.io';

function resource(kind: string, plural: string): Resource<KubeObject> {
  return { kind, group: GROUP, version: 'v1', plural, namespaced: true, read: withoutManagedFields };
}

export const VIRTUAL_SERVICES = resource('VirtualService', 'virtualservices');
export const DESTINATION_RULES = resource('DestinationRule', 'destinationrules');
