import { poisson } from '../kit/load-plan.ts';
import { exponential } from '../kit/random.ts';

/** Pods of limit 1, and how long a request works there on average. */
export const PODS = 4;
export const WORK_MS = 40;

/** How long is waited for what comes soon; a machine with much else to do takes ten times as long for an Envoy that starts. */
export const patience = { timeout: 40_000, interval: 50 };

/** Requests for so long, at 80 % of what the pods can do. */
export function someLoad(name: string, seconds: number) {
  const perSecond = (PODS / WORK_MS) * 1000 * 0.8;
  return poisson(Math.round(perSecond * seconds), perSecond, { name, work: exponential(WORK_MS) });
}
