import { EVERYTHING } from '../../model/route.ts';
import { numeric } from '../objects/service-settings.ts';
import type { Value } from '../objects/value.ts';
import type { Subject } from './draft.ts';
import type { KubeServices } from './kube-services.ts';

/** Whether it is a `config.yaml` of k8s-service-lbagent. */
export function isLbagent(value: Value): boolean {
  const first = value.list('routes')[0];
  return value.keys().every(({ key }) => key !== 'version') && first?.textAt('uri') !== undefined;
}

/** Takes over a `config.yaml` of k8s-service-lbagent, whose keys are known from the route file's first form. */
export function importLbagent(subject: Subject, config: Value, services: KubeServices): void {
  const port = config.textAt('port');
  subject.draft.listen ??= port === undefined ? undefined : { port: numeric(port) };
  const kubeconfig = config.get('kube_config_file');
  if (kubeconfig?.text()) {
    subject.note(kubeconfig.at, 'kube_config_file is not part of a route file', 'set KUBECONFIG where Sluice starts');
  }
  const log = config.get('log_file');
  if (log?.text()) subject.note(log.at, 'log_file is not written', 'redirect the output of Sluice');
  for (const route of config.list('routes')) {
    const name = route.textAt('service_name') ?? '';
    const namespace = route.textAt('namespace');
    const target = route.textAt('http_port') ?? '';
    const limit = route.textAt('limit');
    const port = services.portOfTarget(namespace, name, target);
    if (port === undefined) {
      const message = `http_port ${target} is the port of the pods, and port here is that of the Service`;
      const at = route.get('http_port')?.at ?? route.at;
      subject.note(at, message, `write the Service's port for ${name}, if it is another one`);
    }
    const service = services.lead(subject, route.at, { namespace, name, port: port ?? target }, limitOf(limit));
    subject.route(route.at, {
      match: { ...EVERYTHING, path: { kind: 'exact', path: route.textAt('uri') ?? '' } },
      service,
      keys: {},
    });
  }
  subject.refuseUnread(config);
}

function limitOf(limit: string | undefined) {
  return limit === undefined ? {} : { limit: numeric(limit) };
}
