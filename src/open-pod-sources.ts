import { systemClock } from './base/clock.ts';
import type { ControlPlaneOptions } from './control-plane.ts';
import { sourceLog } from './log-events.ts';
import { DnsSource } from './source/dns/source.ts';
import { KubeSource } from './source/kube/kube-source.ts';
import { chooseKubeconfig, type KubeconfigChoice } from './source/kube/kubeconfig.ts';
import type { SourceEvent } from './source/pod-source.ts';
import { PodSources } from './source/pod-sources.ts';
import type { RouteFile } from './source/route-file/parse.ts';
import { StaticSource } from './source/static.ts';
import type { Metrics } from './status/metrics.ts';
import type { AskingSource } from './status/source-metrics.ts';

const clock = systemClock;

/** All sources of pods, each of which starts when the first service needs it. What they hear is counted in `metrics`. */
export function openPodSources(
  { kubeconfig, dns, log }: Pick<ControlPlaneOptions, 'kubeconfig' | 'dns' | 'log'>,
  { lbagent }: RouteFile,
  metrics: Metrics,
): PodSources {
  const counter = (source: AskingSource) => (event: SourceEvent) => metrics.recordSourceEvent(source, event);
  return new PodSources({
    static: async () => new StaticSource(),
    dns: async () => new DnsSource({ clock, count: counter('dns'), ...dns }),
    kubernetes: async () => {
      const tell = sourceLog(log, 'kubernetes');
      const choice: KubeconfigChoice =
        kubeconfig === undefined ? chooseKubeconfig(lbagent?.kubeConfigFile) : { kubeconfig };
      if (choice.warning !== undefined) tell('warn', choice.warning, {});
      return new KubeSource({ clock, log: tell, kubeconfig: choice.kubeconfig, count: counter('kubernetes') });
    },
  });
}
