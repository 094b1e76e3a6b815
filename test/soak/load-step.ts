import type { Planned } from '../e2e/kit/load-plan.ts';
import { ODD_HEADER } from '../e2e/kit/pod-odd.ts';
import { bimodal, exponential, type Random, type ServiceTime, seeded } from '../e2e/kit/random.ts';
import type { Load, WorkKind } from './schedule.ts';

/** The requests of a load; `name` begins their ids. */
export function requestsOf(load: Load, name: string): readonly Planned[] {
  const random = seeded(load.seed);
  const work = WORK[load.work];
  return Array.from({ length: load.count }, (_, index) => {
    const id = `${name}-${index}`;
    return {
      id,
      at: random() * load.ms,
      workMs: work(random),
      path: `/${load.lane}/${id}`,
      ...abortOf(load, random),
      ...oddOf(load, random),
    };
  }).sort((a, b) => a.at - b.at);
}

const mixed = bimodal({ short: 30, long: 900, longShare: 0.06 });

const WORK: Readonly<Record<WorkKind, ServiceTime>> = {
  short: exponential(40),
  mixed: (random) => mixed(random) * (0.3 + 1.4 * random()),
  long: (random) => 1500 + 3000 * random(),
  even: () => 600,
};

function abortOf({ aborts }: Load, random: Random): Partial<Planned> {
  return random() < aborts ? { abortAfter: 1 + exponential(80)(random) } : {};
}

function oddOf({ odd, odds }: Load, random: Random): Partial<Planned> {
  return random() < odds && odd !== undefined ? { headers: { [ODD_HEADER]: odd } } : {};
}
