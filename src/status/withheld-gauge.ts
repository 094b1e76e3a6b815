import { Gauge, type Registry } from 'prom-client';

/** By Envoy, how many services with a limit it is there for and does not get as another Envoy has them. */
export type Withheld = ReadonlyMap<string, number>;

/** Adds the metric that tells how many services are withheld from each connected Envoy, asked whenever it is read. */
export function addWithheldGauge(registry: Registry, withheld: () => Withheld): void {
  new Gauge({
    name: 'sluice_services_withheld',
    help: 'Services with a limit that an Envoy does not get because another Envoy carries them; more than 0 is a problem.',
    labelNames: ['node'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [node, services] of withheld()) this.set({ node }, services);
    },
  });
}
