import { accessLog } from './access-log.ts';
import { dictionary, list } from './collection.ts';
import { headerBounds } from './header-bounds.ts';
import { map } from './map.ts';
import { route } from './route-keys.ts';
import { textOrNothing, whole } from './scalar.ts';
import { service } from './service-keys.ts';
import { defaulted, optional, required, section } from './shape.ts';
import { tracing } from './tracing.ts';
import { fileName, ipAddress, label, limit, path, tcpPort } from './values.ts';

/*
 * Every key of the route file, with service-keys.ts and route-keys.ts: its shape, its default, what it is for. The parser
 * reads files by this table, and the documentation is made from it (see reference.ts).
 */

/** A certificate of `listen.tls`. */
const certificate = {
  cert: required(
    fileName('./tls.crt'),
    "PEM file with the certificate and its chain; a relative name starts from the route file's folder. Sluice reads it, checks it, and gives Envoy its contents; a renewed one is taken by itself.",
  ),
  key: required(
    fileName('./tls.key'),
    "PEM file with the private key; a relative name starts from the route file's folder. Sluice reads it, checks it, and gives Envoy its contents; a renewed one is taken by itself.",
  ),
} as const;

/** `listen.tls.redirect` */
export const toHttps = map(
  {
    from: required(tcpPort, 'TCP port of plain HTTP, at the same address.'),
    to: optional(
      tcpPort,
      'The port at which clients find `listen.port`, where it is another one: 443 of a Service in front of 8443.',
      '`listen.port`',
    ),
  },
  { example: '{from: 80}' },
);

/** `listen` */
const listen = map(
  {
    address: defaulted(
      ipAddress,
      '0.0.0.0',
      'IP address on which Envoy takes requests; 0.0.0.0 for every IPv4 address of the machine, "::" for those of IPv6 as well.',
    ),
    port: defaulted(tcpPort, 8080, 'TCP port on which Envoy takes requests.'),
    tls: optional(
      map(
        {
          ...certificate,
          more: optional(
            list(map(certificate, { example: '{cert: ./other.crt, key: ./other.key}' }), {
              says: 'a list of certificates',
              example: '[{cert: ./other.crt, key: ./other.key}]',
            }),
            'Further certificates: of all of them Envoy takes the one for the name that the client asks for (SNI).',
            'one certificate for every name',
          ),
          redirect: optional(
            toHttps,
            'Clients of plain HTTP are sent to the same URL over https, with status 308.',
            'there is no port of plain HTTP',
          ),
        },
        { example: '{cert: ./tls.crt, key: ./tls.key}' },
      ),
      'Take requests over TLS only.',
      'plain HTTP',
    ),
  },
  { example: '{port: 8080}' },
);

/** The whole file, version 1. */
export const version1 = map(
  {
    version: required(whole({ min: 1, max: 1, example: '1' }), 'Version of this form.'),
    listen: section(listen, 'Where Envoy takes requests.'),
    access_log: optional(
      accessLog,
      'Where Envoy writes down what became of each request, at all listeners: [what a line says](operations.md#the-access-log).',
      'none is kept',
    ),
    tracing: optional(
      tracing,
      'Traces of requests, at all listeners, with the wait as a span of its own: [what a trace shows](operations.md#tracing).',
      'no spans; a `traceparent` passes through',
    ),
    header_bounds: optional(
      headerBounds,
      'How much of headers is taken, from clients at all listeners and from pods. A request with more gets a 431, an answer with more becomes a 502.',
      '1,000 lines and 256 KiB',
    ),
    services: optional(
      dictionary(service, {
        says: 'a map of services',
        example: '{}',
        itemName: '<name>',
        advice: () => 'write each service under its name: "codec: {static: [10.0.0.1:8080], limit: 2}"',
        names: '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$',
      }),
      'Services by name: 1 to 63 small letters, digits and inner - . _',
      'none',
    ),
    routes: required(
      list(route, {
        says: 'a list of routes',
        example: '[]',
        advice: () => 'write routes: and below it one item for each route: "- {match: {prefix: /}, service: codec}"',
      }),
      'Which requests go to which service. Named hosts come before "*." hosts (the longest first), and those before no hosts; then an exact path before the longest prefix, and that before a regex; then the route with more conditions; then the order of the file decides.',
    ),
  },
  {
    example: '{version: 1, routes: []}',
    elsewhere: {
      port: 'write listen: {port: ...}',
      tls: 'write it under listen',
      log_file: 'remove it: logs go to the output of Sluice',
      kube_config_file: 'remove it: the command line names the kubeconfig',
    },
  },
);
/** The whole file as k8s-service-lbagent has it. */
export const lbagent = map(
  {
    port: defaulted(tcpPort, 8080, 'TCP port on which Envoy takes requests.'),
    log_file: optional(
      textOrNothing({ says: 'a file name', example: './logs/agent.log' }),
      'Accepted for compatibility; logs go to the output of Sluice.',
    ),
    kube_config_file: optional(
      textOrNothing({ says: 'a file name', example: '/root/.kube/config' }),
      'The kubeconfig; empty for $KUBECONFIG or the service account of the pod that Sluice runs in. These take its place, with a warning, where there is no such file.',
    ),
    routes: required(
      list(
        map(
          {
            uri: required(path('/codec'), 'The exact path; the query is not looked at, and is passed on.'),
            limit: required(limit, 'Requests one pod may hold at a time.'),
            service_name: required(label('codec'), 'Name of the Kubernetes Service.'),
            namespace: optional(
              label('default'),
              'Namespace of the Service.',
              "the namespace Sluice runs in, or the kubeconfig context's, else `default`",
            ),
            http_port: required(tcpPort, 'Port of the pods.'),
          },
          {
            example: '{uri: /codec, limit: 2, service_name: codec, namespace: default, http_port: 8080}',
            unknown: 'warning',
          },
        ),
        {
          says: 'a list of routes',
          example: '[]',
          advice: () =>
            'write routes: and below it one item for each route: "- {uri: /codec, limit: 2, service_name: codec, http_port: 8080}"',
        },
      ),
      'One route per path. Routes to the same service and port share one limit.',
    ),
  },
  { example: '{port: 8080, routes: []}', unknown: 'warning' },
);
