import { systemClock } from '../base/clock.ts';
import { HttpApi } from '../kubernetes/http-api.ts';
import type { ControlPlaneOptions } from './assemble.ts';
import { Pairs, type PairsChoice } from './pairs.ts';

/** This Sluice among others, not started yet. */
export function openPairs(
  choice: PairsChoice,
  { kubeconfig, log }: Pick<ControlPlaneOptions, 'kubeconfig' | 'log'>,
): Pairs {
  return new Pairs({ choice, api: new HttpApi({ kubeconfig }), clock: systemClock, log });
}
