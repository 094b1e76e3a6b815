import type { Clock } from '../../base/clock.ts';
import { Timers } from '../../base/timers.ts';
import { formatAddress } from '../../model/locator.ts';
import type { ServiceWithPods } from '../../model/model.ts';
import type { HealthCheck, ServiceName } from '../../model/service.ts';
import type { check } from './check.ts';
import { nextVerdict, UNKNOWN, unhealthyOf, type Verdict } from './verdict.ts';

/** What `HealthChecks` works with. */
export interface HealthChecksOptions {
  readonly clock: Clock;
  readonly check: typeof check;
  /** Told when other pods of a service are out than before. */
  readonly changed: (service: ServiceName) => void;
}

/** A service whose pods are asked. */
interface Checked {
  service: ServiceWithPods;
  readonly verdicts: Map<string, Verdict>;
  unhealthy: ReadonlySet<string>;
  cancel: () => void;
}

/** A pod that is out is asked at least this often, so that it is back soon. */
const UNHEALTHY_INTERVAL_MS = 1000;

/** The longest that an answer is waited for. */
const LONGEST_WAIT_MS = 2000;

const NOBODY: ReadonlySet<string> = new Set();

/**
 * Asks the pods of services with a limit and `health` whether they are well: the queue filter chooses the pods, and does
 * not see what Envoy's own checks find.
 */
export class HealthChecks {
  readonly #options: HealthChecksOptions;
  readonly #checked = new Map<ServiceName, Checked>();
  readonly #timers: Timers;

  constructor(options: HealthChecksOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** From now on these services count. What is known of pods that stay is kept. */
  follow(services: readonly ServiceWithPods[]): void {
    const wanted = new Map(services.flatMap((one) => (isChecked(one) ? [[one.service.name, one] as const] : [])));
    for (const [name, { cancel }] of this.#checked) {
      if (wanted.has(name)) continue;
      cancel();
      this.#checked.delete(name);
    }
    for (const [name, service] of wanted) {
      const known = this.#checked.get(name);
      if (known?.service === service) continue;
      if (known === undefined) this.#begin(service);
      else this.#change(known, service);
    }
  }

  /** The addresses of pods that are out, as `formatAddress` writes them. */
  unhealthy(name: ServiceName): ReadonlySet<string> {
    return this.#checked.get(name)?.unhealthy ?? NOBODY;
  }

  /** Ends all checks. */
  stop(): void {
    this.#timers.stop();
    this.#checked.clear();
  }

  #begin(service: ServiceWithPods): void {
    const checked: Checked = { service, verdicts: new Map(), unhealthy: NOBODY, cancel: () => {} };
    this.#checked.set(service.service.name, checked);
    this.#change(checked, service);
    void this.#round(checked);
  }

  #change(checked: Checked, service: ServiceWithPods): void {
    checked.service = service;
    const present = new Set(service.pods.map(formatAddress));
    for (const address of checked.verdicts.keys()) if (!present.has(address)) checked.verdicts.delete(address);
    for (const address of present) if (!checked.verdicts.has(address)) checked.verdicts.set(address, UNKNOWN);
  }

  async #round(checked: Checked): Promise<void> {
    const { service, pods } = checked.service;
    const { name, health, protocol } = service;
    if (health === undefined) return;
    const { path, interval } = health;
    const timeoutMs = Math.min(interval, LONGEST_WAIT_MS);
    await Promise.all(
      pods.map(async (pod) => {
        const isGood = await this.#options.check({ pod, path, protocol, timeoutMs });
        const address = formatAddress(pod);
        const before = checked.verdicts.get(address);
        if (before !== undefined) checked.verdicts.set(address, nextVerdict(before, isGood));
      }),
    );
    // It may have gone meanwhile.
    if (this.#checked.get(name) !== checked) return;
    const unhealthy = unhealthyOf(checked.verdicts);
    const isNews =
      unhealthy.size !== checked.unhealthy.size || [...unhealthy].some((one) => !checked.unhealthy.has(one));
    checked.unhealthy = unhealthy;
    if (isNews) this.#options.changed(name);
    checked.cancel = this.#timers.after(intervalOf(health, checked), () => void this.#round(checked));
  }
}

function isChecked({ service: { discipline, health } }: ServiceWithPods): boolean {
  return health !== undefined && discipline.kind === 'limited';
}

function intervalOf({ interval }: HealthCheck, { verdicts }: Checked): number {
  const isIll = [...verdicts.values()].some(({ isWell }) => !isWell);
  return isIll ? Math.min(interval, UNHEALTHY_INTERVAL_MS) : interval;
}
