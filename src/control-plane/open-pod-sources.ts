import { systemClock } from '../base/clock.ts';
import { DnsSource } from '../endpoints/dns/source.ts';
import { KubeSource } from '../endpoints/kube/kube-source.ts';
import { PodSources } from '../endpoints/pod-sources.ts';
import { StaticSource } from '../endpoints/static.ts';
import { chooseKubeconfig, type KubeconfigChoice } from '../kubernetes/kubeconfig.ts';
import type { SourceEvent } from '../model/source.ts';
import type { RouteFile } from '../routes/file/parse.ts';
import type { Metrics } from '../status/metrics.ts';
import type { AskingSource } from '../status/source-metrics.ts';
import type { ControlPlaneOptions } from './assemble.ts';
import { sourceLog } from './log-events.ts';

const clock = systemClock;

/** All sources of pods, each of which starts when the first service needs it. What they hear is counted in `metrics`. */
export function openPodSources(
  { kubeconfig, dns, log }: Pick<ControlPlaneOptions, 'kubeconfig' | 'dns' | 'log'>,
  { lbagent }: Pick<RouteFile, 'lbagent'>,
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
