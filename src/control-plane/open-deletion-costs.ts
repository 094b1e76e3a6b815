import { systemClock } from '../base/clock.ts';
import { HttpApi } from '../kubernetes/http-api.ts';
import { isStatus, named, OwnNamespace } from '../kubernetes/own-namespace.ts';
import { formatAddress } from '../model/locator.ts';
import type { Model } from '../model/model.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { ControlPlaneOptions } from './assemble.ts';
import { DeletionCosts, type PodWork } from './deletion-costs.ts';
import { sourceLog } from './log-events.ts';

const PODS = { group: '/api/v1', plural: 'pods' };

/** Writes deletion costs from now on; undefined: they are not wanted. What is returned ends that. */
export function openDeletionCosts(
  options: Pick<ControlPlaneOptions, 'deletionCosts' | 'kubeconfig' | 'pairs' | 'log'>,
  { model, telemetry }: { readonly model: () => Model | undefined; readonly telemetry: Pick<Telemetry, 'now'> },
): { stop(): void } | undefined {
  const { deletionCosts = false, kubeconfig, pairs, log } = options;
  if (!deletionCosts) return undefined;
  const api = new HttpApi({ kubeconfig });
  const beside = new OwnNamespace({ api, clock: systemClock });
  const stopping = new AbortController();
  const isGone = async (name: string) => isStatus(await beside.get(PODS, named(name), stopping.signal), 404);
  let own: string | undefined;
  const costs = new DeletionCosts({
    api,
    clock: systemClock,
    log: sourceLog(log, 'kubernetes'),
    pods: () => podsOf(model(), telemetry, own),
    pair: pairs && { name: pairs.pod, isGone },
  });
  void api.namespace().then((namespace) => {
    if (namespace.ok) own = namespace.value;
  });
  costs.start();
  return {
    stop() {
      stopping.abort();
      costs.stop();
    },
  };
}

/** The Pods of services with a limit, as far as a queue filter tells of them. `own`: the namespace of services that name none. */
function podsOf(
  model: Model | undefined,
  telemetry: Pick<Telemetry, 'now'>,
  own: string | undefined,
): readonly PodWork[] {
  const work = new Map<string, PodWork>();
  for (const { service, pods } of model?.services ?? []) {
    const { locator, discipline, name } = service;
    const namespace = locator.kind === 'kubernetes' ? (locator.namespace ?? own) : undefined;
    const has = discipline.kind === 'limited' ? telemetry.now(name) : undefined;
    // What may be out of date decides nothing.
    if (namespace === undefined || has === undefined || has.oldSince !== undefined) continue;
    for (const pod of pods) {
      if (pod.name === undefined) continue;
      const isBusy = (has.pods.get(formatAddress(pod))?.inUse ?? 0) > 0;
      const key = `${namespace}/${pod.name}`;
      // A Pod may be behind two services.
      work.set(key, { namespace, name: pod.name, isBusy: isBusy || work.get(key)?.isBusy === true });
    }
  }
  return [...work.values()];
}
