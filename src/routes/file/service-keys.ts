import { millis } from '../../base/duration.ts';
import { formatAddress } from '../../model/locator.ts';
import { MOST_REQUESTS } from '../../model/service.ts';
import { values } from './collection.ts';
import { map } from './map.ts';
import { cost, onOff, queueFields } from './queue-keys.ts';
import { duration, oneOf, whole } from './scalar.ts';
import { defaulted, optional, required, section } from './shape.ts';
import { dnsHost, fileName, headerName, label, limit, path, servicePort, staticPod, tcpPort } from './values.ts';

const LOCATORS = ['kubernetes', 'dns', 'static'] as const;

/** The keys of `services.<name>`. */
export const serviceFields = {
  kubernetes: optional(
    map(
      {
        namespace: optional(
          label('default'),
          'Namespace of the Service.',
          "the namespace Sluice runs in, or the kubeconfig context's, else `default`",
        ),
        service: required(label('codec'), 'Name of the Service whose ready endpoints are the pods.'),
        port: required(servicePort, 'Port of the Service, by number or by name.'),
      },
      {
        example: '{namespace: default, service: codec, port: 80}',
        elsewhere: {
          service_name: 'write service',
          http_port: "write port: the Service's port, not the pod's",
          name: 'write service',
        },
      },
    ),
    `Pods behind a Kubernetes Service. Each service has exactly one of ${LOCATORS.join(', ')}.`,
  ),
  dns: optional(
    map(
      {
        host: required(
          dnsHost,
          'Name whose every address is a pod, such as that of a headless Service; `localhost` is 127.0.0.1, without asking DNS.',
        ),
        port: required(tcpPort, 'Port of the pods.'),
      },
      { example: '{host: codec.example, port: 8080}' },
    ),
    'Pods behind a DNS name.',
  ),
  static: optional(
    values(staticPod, {
      says: 'a list of addresses and ports',
      example: '[10.0.0.1:8080, 10.0.0.2:8080]',
      same: formatAddress,
    }),
    'Pods by IP address and port; an empty list means that there is none now, and requests wait. One with a limit of its own is written {address: 10.0.0.1:8080, limit: 4}.',
  ),
  limit: optional(
    limit,
    'Requests one pod may hold at a time. The rest wait in a queue, first in, first out; the next one goes to the first free pod.',
    'no queue: requests are spread by `balance` and bounded by `max_requests`',
  ),
  pod_limits: defaulted(
    onOff,
    'off',
    'Whether a Pod may say a limit of its own, by its annotation `sluice.dev/limit: "4"`; the others have that of the service. For that Sluice [watches Pods](kubernetes.md#pods-of-different-size) too. Only with `limit` and `kubernetes`.',
  ),
  protocol: defaulted(
    oneOf(['http1', 'h2c', 'https', 'h2'], {
      http: 'http1',
      'http/1.1': 'http1',
      'http1.1': 'http1',
      websocket: 'http1',
      ws: 'http1',
      grpc: 'h2c',
      http2: 'h2c',
      'http/2': 'h2c',
      grpcs: 'h2',
      tls: 'https',
      wss: 'https',
    }),
    'http1',
    'How the pods are spoken to: http1 (HTTP/1.1, WebSocket included), h2c (HTTP/2 without TLS, for gRPC), https (HTTP/1.1 over TLS), or h2 (HTTP/2 over TLS).',
  ),
  tls: optional(
    map(
      {
        ca: optional(
          fileName('./ca.crt'),
          "PEM file with the authorities that sign the pods' certificates; a relative name starts from the route file's folder. Sluice reads it, checks it, and gives Envoy its contents; a renewed one is taken by itself.",
          "the authorities that Envoy's machine trusts",
        ),
        name: optional(
          dnsHost,
          'Name that pods are asked for by (SNI), and that their certificates must bear.',
          'that of `dns`; with `kubernetes` and `static` no name is asked for, and only the signature is checked',
        ),
        verify: defaulted(onOff, 'on', "Whether the pods' certificates are checked; with off any will do."),
      },
      {
        example: '{ca: ./ca.crt, name: codec.example}',
        elsewhere: { sni: 'write name', insecure: 'write verify: off', cert: 'pods are not shown a certificate' },
      },
    ),
    'Whom to trust. Only with `protocol: https` or `h2`.',
    "with those two: the authorities that Envoy's machine trusts",
  ),
  balance: defaulted(
    oneOf(['least_request', 'round_robin', 'random'], {
      least_requests: 'least_request',
      leastconn: 'least_request',
      roundrobin: 'round_robin',
    }),
    'least_request',
    'How requests are spread over the pods. Only without `limit`.',
  ),
  max_requests: defaulted(
    whole({ min: 1, max: MOST_REQUESTS, example: '1024' }),
    1024,
    'Requests in flight over all pods together, above which they are refused. Only without `limit`.',
  ),
  cost: optional(
    cost,
    'Requests that take several slots of one pod. One that takes more than any pod has is answered with 400. Only with `limit`.',
    'each takes one slot',
  ),
  queue: section(map(queueFields, { example: '{max: 1000}' }), 'The queue in which requests wait.'),
  async: optional(
    map(
      {
        status: defaulted(
          whole({ min: 200, max: 299, example: '202' }),
          202,
          'An answer with this status means that the pod has taken the work and goes on with it: the slot stays in use.',
        ),
        id: defaulted(
          headerName('sluice-job'),
          'sluice-job',
          'Header of that answer that names the job. Where it is missing, Sluice adds one.',
        ),
        timeout: required(
          duration({
            example: '2h',
            min: 1000,
            tooShort: 'write how long a job may take at most: 2h',
          }),
          'Longest time that a job keeps its slot, from the moment at which it got it. Before that the pod ends it: `POST /.well-known/sluice/jobs/ID/done` with the `sluice-job-token` that came with the request.',
        ),
        poll: optional(
          path('/jobs'),
          'Path at which a pod says which jobs it has, as a JSON list of their ids. By it jobs survive the restart of Envoy, and those that a pod has forgotten end.',
          'pods are not asked',
        ),
      },
      { example: '{timeout: 2h}', elsewhere: { header: 'write id' } },
    ),
    'Work that goes on after its answer. Only with `limit`.',
    'a slot is free when the answer is over',
  ),
  idempotency: optional(
    map(
      {
        header: defaulted(
          headerName('idempotency-key'),
          'idempotency-key',
          'Header with the key that a client gives a request and its repetitions.',
        ),
        on_duplicate: defaulted(
          oneOf(['join', 'conflict']),
          'join',
          'While a request with the key waits or runs, another one gets its answer (join), or is answered 409 at once (conflict). The same method, path and `Authorization` belong to the key.',
        ),
      },
      { example: '{on_duplicate: join}' },
    ),
    'One pod for a request that is sent twice. Only with `limit`.',
    'each request is one of its own',
  ),
  timeout: section(
    map(
      {
        request: defaulted(
          duration({ example: '3h' }),
          millis(0),
          'Longest time a pod may work on a request, from its slot to the last byte of the answer; 0 for none.',
        ),
        connect: defaulted(
          duration({
            example: '2s',
            min: 1,
            tooShort: 'write one such as 2s: a connection must fail some time for another pod to be tried',
          }),
          millis(2000),
          'Longest time a connection to a pod may take.',
        ),
      },
      { example: '{request: 3h}', elsewhere: { queue: 'write it as queue: {timeout: 30m}' } },
    ),
    'How long things may take.',
  ),
  scale: section(
    map(
      {
        down_after: defaulted(
          duration({ example: '5m' }),
          millis(0),
          'How long fewer pods must be enough before `sluice_desired_pods` says fewer, at most 1h; it says more at once. Only with `limit`.',
        ),
      },
      { example: '{down_after: 5m}' },
    ),
    'How many pods are asked for.',
  ),
  health: optional(
    map(
      {
        path: required(path('/healthz'), 'Path that a healthy pod answers with 200.'),
        interval: defaulted(duration({ example: '5s', min: 100 }), millis(5000), 'Time between two checks of a pod.'),
      },
      { example: '{path: /healthz}' },
    ),
    'Have Envoy check each pod, besides what Kubernetes says of it. A good check brings a pod back that outlier took out.',
    'no such check',
  ),
  outlier: section(
    map(
      {
        consecutive_5xx: defaulted(
          whole({ min: 0, max: 1000, example: '5' }),
          0,
          'Take a pod out after this many answers of 500 to 599 in a row; 0 for never.',
        ),
        eject: defaulted(duration({ example: '5s', min: 1 }), millis(2000), 'How long it is taken out, at first.'),
      },
      { example: '{consecutive_5xx: 5}' },
    ),
    'When a pod is taken out for a while because of its answers. Failing connections always do so.',
  ),
} as const;

/** `services.<name>` */
export const service = map(serviceFields, {
  example: '{dns: {host: codec.example, port: 8080}, limit: 2}',
  exactlyOne: LOCATORS,
  rules: [
    {
      if: { required: ['limit'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { properties: { balance: false, max_requests: false } },
      else: {
        properties: {
          async: false,
          idempotency: false,
          queue: {
            properties: {
              timeout: false,
              place: false,
              wait_for_body: false,
              slack: false,
              priority: false,
              fair: false,
              deadline: false,
            },
          },
          cost: false,
          pod_limits: false,
        },
      },
    },
    {
      if: { required: ['kubernetes'] },
      // biome-ignore lint/suspicious/noThenProperty: as above
      then: {},
      else: { properties: { pod_limits: false } },
    },
  ],
  elsewhere: {
    namespace: 'write it under kubernetes',
    service: 'write it under kubernetes',
    port: `write it under kubernetes or dns`,
    host: 'write it under dns',
    full_status: 'write it under queue',
    health_check: 'write health',
    connect: 'write it under timeout',
    path: 'write it under health, or under match of a route',
    service_name: 'write kubernetes: {service: ...}',
    http_port: "write kubernetes: {port: ...} with the Service's port",
  },
});
