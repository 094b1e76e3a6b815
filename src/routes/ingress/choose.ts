import type { Objects } from '../objects/object.ts';
import { CONTROLLER, INGRESS_CLASSES, INGRESSES, type Ingress } from './objects.ts';

/** Where the class was said before `spec.ingressClassName` was there, and where many still say it. */
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

const DEFAULT_ANNOTATION = 'ingressclass.kubernetes.io/is-default-class';

/** The class that is ours also where no IngressClass says so. */
const OWN_CLASS = 'sluice';

/**
 * The Ingresses that are ours, oldest first: those of a class whose controller we are, of one of these `others`, and, where
 * such a class is the default one, those without a class.
 */
export function ownIngresses(objects: Objects, others: readonly string[]): readonly Ingress[] {
  const own = objects.all(INGRESS_CLASSES).filter(({ spec }) => spec?.controller === CONTROLLER);
  const names = new Set([OWN_CLASS, ...others, ...own.map(({ metadata }) => metadata.name)]);
  const foreign = objects
    .all(INGRESS_CLASSES)
    .some(({ metadata, spec }) => metadata.name === OWN_CLASS && spec?.controller !== CONTROLLER);
  if (foreign && !others.includes(OWN_CLASS)) names.delete(OWN_CLASS);
  const isDefault = own.some(({ metadata }) => metadata.annotations?.[DEFAULT_ANNOTATION] === 'true');
  return objects.all(INGRESSES).filter(({ metadata, spec }) => {
    const name = spec?.ingressClassName ?? metadata.annotations?.[CLASS_ANNOTATION];
    return name === undefined || name === '' ? isDefault : names.has(name);
  });
}
