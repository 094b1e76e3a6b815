import { assertNever } from '../base/assert-never.ts';

/** Where the pods of the first service are, as the user wrote it on the command line. */
export type InitialPods =
  | { readonly kind: 'kubernetes'; readonly namespace?: string; readonly service: string; readonly port: string }
  | { readonly kind: 'dns'; readonly host: string; readonly port: string }
  | { readonly kind: 'static'; readonly addresses: readonly string[] };

/** A route file with one service, which says in comments what else can be written. */
export function initialFile(pods: InitialPods): string {
  const name = serviceName(pods);
  return `# The route file of Sluice: which requests go to which service, and how many of them a pod may hold at a time.
# Check it:                 sluice validate FILE
# Run it, with an Envoy:    sluice run --routes FILE
# Every key:                sluice schema, or docs/route-file.md
# For completion in your editor: sluice schema > sluice.schema.json, and remove the first # of the next line.
# # yaml-language-server: $schema=./sluice.schema.json
version: 1

listen:
  port: 8080                        # where Envoy takes requests
  # tls: {cert: ./tls.crt, key: ./tls.key}

services:
  ${name}:
${podsText(pods)}
    limit: 1                        # requests one pod may hold at a time; the rest wait in the queue
    # protocol: h2c                 # for gRPC; http1 when left out
    queue:
      max: 1000                     # how many may wait; above it clients get 429
      # timeout: 30m                # longest wait; as long as it takes when left out
    # timeout: {request: 3h}        # longest time a pod may work on a request
    # health: {path: /healthz}      # have Envoy check each pod as well

routes:                             # an exact path comes before the longest prefix, and that before a regex
  - match: {prefix: /}              # or path: /exactly/this, or regex: "/v[0-9]+/.*"
    service: ${name}
    # timeout: {request: 10m}       # in place of the service's
    # rewrite: {prefix: /v1/}       # the path that the pod sees
`;
}

/** A name for the service that says what it is. */
function serviceName(pods: InitialPods): string {
  switch (pods.kind) {
    case 'kubernetes':
      return pods.service;
    case 'dns':
      return pods.host.split('.')[0] ?? 'my-service';
    case 'static':
      return 'my-service';
    default:
      return assertNever(pods);
  }
}

function podsText(pods: InitialPods): string {
  switch (pods.kind) {
    case 'kubernetes': {
      const { namespace, service, port } = pods;
      return [
        '    kubernetes:                     # the pods are the ready endpoints of this Service',
        namespace === undefined
          ? '      # namespace: default          # when left out: the one Sluice runs in'
          : `      namespace: ${namespace}`,
        `      service: ${service}`,
        `      port: ${port}${' '.repeat(Math.max(1, 24 - port.length))}# of the Service: its number or its name`,
      ].join('\n');
    }
    case 'dns':
      return [
        '    dns:                            # each address of this name is a pod',
        `      host: ${pods.host}`,
        `      port: ${pods.port}${' '.repeat(Math.max(1, 24 - pods.port.length))}# of the pods`,
      ].join('\n');
    case 'static':
      return ['    static:                         # the pods', ...pods.addresses.map((one) => `      - ${one}`)].join(
        '\n',
      );
    default:
      return assertNever(pods);
  }
}
