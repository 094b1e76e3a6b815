import type { Model } from '../model/model.ts';

/** Whether anything is out or on its way out: then limits follow what Envoys report about pods. */
export function isMoving(model: Model | undefined): boolean {
  if (model === undefined) return false;
  return model.retiring.length > 0 || model.services.some(({ pods }) => pods.some(({ state }) => state !== 'ready'));
}
