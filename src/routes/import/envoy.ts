import { isIP } from 'node:net';
import type { NamedMatch, PathMatch, RouteMatch } from '../../model/route.ts';
import { numeric } from '../objects/service-settings.ts';
import type { Value } from '../objects/value.ts';
import { changesOf, headerKeys, segmentPath } from './backends.ts';
import type { Subject, Yaml, YamlMap } from './draft.ts';
import { refuseOutOfOrder } from './order.ts';

/** Whether it is a configuration of Envoy. */
export function isEnvoy(value: Value): boolean {
  return value.keys().some(({ key }) => key === 'static_resources' || key === 'dynamic_resources');
}

/** Makes the subject of a part of the file. */
type SubjectOf = (object: string) => Subject;

/** Takes over the clusters and routes of an `envoy.yaml`. */
export function importEnvoy(subjectOf: SubjectOf, config: Value): void {
  const whole = subjectOf('envoy');
  config.skip('admin', 'node', 'layered_runtime', 'stats_config', 'stats_flush_interval', 'overload_manager');
  const dynamic = config.get('dynamic_resources')?.done();
  if (dynamic !== undefined) {
    whole.refuse(dynamic.at, 'dynamic_resources come from another control plane', 'import what it is made from');
  }
  const clusters = new Map<string, string>();
  for (const cluster of config.list('static_resources', 'clusters')) {
    const name = cluster.textAt('name') ?? '';
    const subject = subjectOf(`cluster ${name}`);
    const key = importCluster(subject, name, cluster);
    subject.refuseUnread(cluster);
    if (key !== undefined) clusters.set(name, key);
  }
  const listeners = config.list('static_resources', 'listeners');
  for (const listener of listeners) {
    const name = listener.textAt('name') ?? '';
    const subject = subjectOf(`listener ${name}`);
    new ListenerImport(subject, clusters).run(listener);
    subject.refuseUnread(listener);
  }
  whole.refuseUnread(config);
}

const BALANCE: Readonly<Record<string, string>> = { ROUND_ROBIN: 'round_robin', RANDOM: 'random' };

/** Adds a cluster as a service; returns its key. */
function importCluster(subject: Subject, name: string, cluster: Value): string | undefined {
  const type = cluster.textAt('type') ?? cluster.textAt('cluster_type', 'name') ?? 'STATIC';
  cluster.skip('dns_lookup_family', 'dns_refresh_rate', 'dns_failure_refresh_rate', 'respect_dns_ttl', 'alt_stat_name');
  cluster.skip(
    'per_connection_buffer_limit_bytes',
    'upstream_connection_options',
    'dns_resolvers',
    'typed_dns_resolver_config',
  );
  const addresses = endpoints(subject, cluster).map((address) => ({
    at: address.at,
    host: address.textAt('socket_address', 'address') ?? '',
    port: address.textAt('socket_address', 'port_value') ?? '',
  }));
  for (const one of addresses) {
    if (one.host === '')
      subject.refuse(one.at, 'pods at something else than an address and a port', 'have them listen on a port');
  }
  const settings = clusterSettings(subject, cluster);
  const [first, ...others] = addresses.filter(({ host }) => host !== '');
  if (first === undefined) {
    const fix = 'write where its pods are: kubernetes: {service: ..., port: ...}';
    subject.refuse(cluster.at, `a cluster of type ${type} without addresses`, fix);
    return undefined;
  }
  if (isIP(first.host) !== 0) {
    const pods = addresses.filter(({ host }) => isIP(host) !== 0);
    const locator = {
      static: pods.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)),
    };
    return subject.service(cluster.at, { name, locator, settings });
  }
  for (const other of others) {
    subject.refuse(other.at, `${other.host} is a second name`, 'a service has one: make a headless Service of both');
  }
  const [service = '', namespace = '', kind] = first.host.split('.');
  if (kind === 'svc') {
    const message = `${first.host} is followed by DNS, as in Envoy`;
    const fix = `write kubernetes: {namespace: ${namespace}, service: ${service}, port: ...} to follow its pods at once`;
    subject.note(first.at, message, fix);
  }
  const locator = { dns: { host: first.host, port: numeric(first.port) } };
  return subject.service(cluster.at, { name, locator, settings });
}

/** Of the form of today, and of Envoy's API v2. */
function endpoints(subject: Subject, cluster: Value): readonly Value[] {
  cluster.deep('load_assignment', 'cluster_name')?.done();
  const groups = cluster.list('load_assignment', 'endpoints');
  for (const group of groups) {
    for (const key of ['locality', 'priority', 'load_balancing_weight']) {
      const found = group.get(key)?.done();
      if (found !== undefined) subject.refuse(found.at, `${key} of endpoints`, 'all pods of a service are alike');
    }
  }
  const today = groups.flatMap((group) => group.list('lb_endpoints'));
  return [...today.flatMap((one) => one.deep('endpoint', 'address') ?? []), ...cluster.list('hosts')];
}

function clusterSettings(subject: Subject, cluster: Value): YamlMap {
  const settings: Record<string, Yaml> = {};
  const options = cluster.deep(
    'typed_extension_protocol_options',
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
  );
  options?.skip('@type', 'common_http_protocol_options', 'upstream_http_protocol_options');
  const explicit = options?.deep('explicit_http_config');
  explicit?.deep('http_protocol_options')?.done();
  const h2 = [cluster.get('http2_protocol_options'), explicit?.get('http2_protocol_options')];
  const hasH2 =
    h2.some((one) => one !== undefined) ||
    [cluster, explicit].some((one) => one?.keys().some(({ key }) => key === 'http2_protocol_options'));
  for (const one of h2) one?.done();
  const socket = cluster.get('transport_socket') ?? cluster.get('tls_context');
  if (hasH2) settings['protocol'] = socket === undefined ? 'h2c' : 'h2';
  else if (socket !== undefined) settings['protocol'] = 'https';
  if (socket !== undefined) settings['tls'] = podTls(subject, socket);
  const balance = cluster.get('lb_policy');
  const policy = balance?.text() ?? 'ROUND_ROBIN';
  const known = BALANCE[policy];
  if (known !== undefined) settings['balance'] = known;
  else if (balance !== undefined && policy !== 'LEAST_REQUEST') {
    subject.refuse(
      balance.at,
      `lb_policy ${policy}`,
      'balance is least_request, round_robin or random; a limit needs none',
    );
  }
  const connect = cluster.textAt('connect_timeout');
  if (connect !== undefined) settings['timeout'] = { connect: protoDuration(connect) };
  const queueMax = thresholds(subject, cluster);
  if (queueMax !== undefined) settings['queue'] = { max: numeric(queueMax) };
  const health = healthOf(subject, cluster);
  if (health !== undefined) settings['health'] = health;
  const outlier = cluster.get('outlier_detection');
  if (outlier !== undefined) {
    const consecutive = outlier.textAt('consecutive_5xx');
    const eject = outlier.textAt('base_ejection_time');
    // Envoy's own default.
    settings['outlier'] = {
      consecutive_5xx: numeric(consecutive ?? '5'),
      ...(eject === undefined ? {} : { eject: protoDuration(eject) }),
    };
    outlier.skip('consecutive_gateway_failure', 'enforcing_consecutive_5xx', 'enforcing_consecutive_gateway_failure');
    outlier.skip('interval', 'max_ejection_percent', 'max_ejection_time');
  }
  return settings;
}

function thresholds(subject: Subject, cluster: Value): string | undefined {
  let pending: string | undefined;
  for (const threshold of cluster.list('circuit_breakers', 'thresholds')) {
    threshold.skip('priority', 'track_remaining', 'max_retries', 'retry_budget', 'max_connection_pools');
    pending ??= threshold.textAt('max_pending_requests');
    for (const key of ['max_requests', 'max_connections']) {
      const found = threshold.get(key);
      if (found === undefined) continue;
      const message = `${key} ${found.text()} is for all pods together, and says nothing of one`;
      subject.note(found.at, message, 'write limit: N at the service, with what one pod may hold');
    }
  }
  return pending;
}

function healthOf(subject: Subject, cluster: Value): YamlMap | undefined {
  const [check, ...more] = cluster.list('health_checks');
  for (const one of more) subject.refuse(one.done().at, 'a second health check', 'a service has one');
  if (check === undefined) return undefined;
  check.skip('timeout', 'unhealthy_threshold', 'healthy_threshold', 'interval_jitter', 'no_traffic_interval');
  const path = check.textAt('http_health_check', 'path');
  const interval = check.textAt('interval');
  if (path === undefined) {
    subject.refuse(check.done().at, 'a health check that asks for no path', 'write health: {path: /healthz}');
    return undefined;
  }
  return { path, ...(interval === undefined ? {} : { interval: protoDuration(interval) }) };
}

function podTls(subject: Subject, socket: Value): YamlMap {
  const context = socket.get('typed_config') ?? socket;
  socket.skip('name');
  context.skip('@type');
  const common = context.get('common_tls_context');
  common?.skip('alpn_protocols');
  const ca = common?.textAt('validation_context', 'trusted_ca', 'filename');
  const name = context.textAt('sni');
  const own = common?.get('tls_certificates')?.done();
  if (own !== undefined) subject.refuse(own.at, 'a certificate that is shown to pods', 'pods are not shown one');
  if (ca === undefined) {
    subject.note(
      socket.at,
      "without trusted_ca Envoy does not check the pods' certificates, and so it is written",
      'write tls: {ca: FILE}',
    );
    return { ...(name === undefined ? {} : { name }), verify: 'off' };
  }
  return { ca, ...(name === undefined ? {} : { name }) };
}

/** Filters that let in only some. */
const CLOSING = /authn|authz|rbac|oauth|basic_auth|api_key/;

class ListenerImport {
  readonly #subject: Subject;
  readonly #clusters: ReadonlyMap<string, string>;

  constructor(subject: Subject, clusters: ReadonlyMap<string, string>) {
    this.#subject = subject;
    this.#clusters = clusters;
  }

  run(listener: Value): void {
    listener.skip(
      'name',
      'per_connection_buffer_limit_bytes',
      'listener_filters',
      'access_log',
      'reuse_port',
      'enable_reuse_port',
    );
    const address = listener.get('address');
    const port = address?.textAt('socket_address', 'port_value');
    const host = address?.textAt('socket_address', 'address');
    const tls = listener.list('filter_chains').map((chain) => this.#tls(chain));
    const own = tls.find((one) => one !== undefined);
    const listen: YamlMap = {
      ...(host === undefined || host === '0.0.0.0' ? {} : { address: host }),
      ...(port === undefined ? {} : { port: numeric(port) }),
      ...(own === undefined ? {} : { tls: own }),
    };
    const known = this.#subject.draft.listen;
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(listen)) {
      this.#subject.refuse(
        listener.at,
        `a second listener, port ${port ?? '?'}`,
        'its routes are at the first: a route file has one',
      );
    }
    this.#subject.draft.listen ??= listen;
    for (const chain of listener.list('filter_chains')) {
      const match = chain.get('filter_chain_match')?.done();
      if (match !== undefined) {
        this.#subject.refuse(
          match.at,
          'filter_chain_match',
          'write the names of hosts at the routes: match: {hosts: [...]}',
        );
      }
      for (const filter of chain.list('filters')) this.#filter(filter);
    }
  }

  #tls(chain: Value): YamlMap | undefined {
    const socket = chain.get('transport_socket')?.done();
    if (socket === undefined) return undefined;
    const [pair] = socket.list('typed_config', 'common_tls_context', 'tls_certificates');
    const cert = pair?.textAt('certificate_chain', 'filename');
    const key = pair?.textAt('private_key', 'filename');
    if (cert !== undefined && key !== undefined) return { cert, key };
    this.#subject.refuse(socket.at, 'a certificate that is in no file', 'write listen: {tls: {cert: FILE, key: FILE}}');
    return undefined;
  }

  #filter(filter: Value): void {
    const config = filter.get('typed_config') ?? filter.get('config');
    const name = filter.textAt('name') ?? '';
    const isManager =
      /http_connection_manager/i.test(name) || /HttpConnectionManager/.test(config?.textAt('@type') ?? '');
    if (!isManager || config === undefined) {
      this.#subject.refuse(filter.done().at, `the filter ${name}`, 'keep an Envoy with it in front');
      return;
    }
    config.skip(
      '@type',
      'stat_prefix',
      'codec_type',
      'access_log',
      'stream_idle_timeout',
      'request_timeout',
      'normalize_path',
    );
    config.skip(
      'use_remote_address',
      'xff_num_trusted_hops',
      'upgrade_configs',
      'common_http_protocol_options',
      'merge_slashes',
    );
    config.skip('http_protocol_options', 'http2_protocol_options', 'generate_request_id', 'server_name', 'tracing');
    config.skip('path_with_escaped_slashes_action', 'delayed_close_timeout', 'drain_timeout', 'max_request_headers_kb');
    const rds = config.get('rds')?.done();
    if (rds !== undefined) this.#subject.refuse(rds.at, 'routes by RDS', 'import what they are made from');
    for (const one of config.list('http_filters')) {
      const kind = one.textAt('name') ?? '';
      one.done();
      if (/router/.test(kind)) continue;
      this.#subject.refuse(
        one.at,
        `the filter ${kind}${CLOSING.test(kind) ? ': without it everybody is let in' : ''}`,
        'keep an Envoy with it in front, and let it send to Sluice',
      );
    }
    const routes = config.get('route_config');
    routes?.skip('name', 'validate_clusters');
    for (const host of routes?.list('virtual_hosts') ?? []) this.#virtualHost(host);
  }

  #virtualHost(host: Value): void {
    host.skip('name', 'include_request_attempt_count');
    const hosts = new Set<string>();
    let every = false;
    for (const domain of host.list('domains')) {
      const name = (domain.text() ?? '').toLowerCase().replace(/:(\d+|\*)$/, '');
      if (name === '*') every = true;
      else if (/^\*\.|^[^*]*$/.test(name)) hosts.add(name);
      else this.#subject.refuse(domain.at, `the domain ${name}`, 'write names, or "*." and a name, as match.hosts');
    }
    const from = this.#subject.draft.routes.length;
    for (const route of host.list('routes')) {
      this.#route(route, every ? [] : [...hosts]);
      this.#subject.refuseUnread(route);
    }
    refuseOutOfOrder(this.#subject, from, 'Envoy');
  }

  #route(route: Value, hosts: readonly string[]): void {
    route.skip('name', 'metadata', 'decorator');
    const match = this.#match(route.get('match'), hosts);
    const headers = this.#headers(route);
    const action = route.get('route');
    const redirect = route.get('redirect');
    const direct = route.get('direct_response')?.done();
    if (direct !== undefined)
      this.#subject.refuse(direct.at, 'an answer by Envoy itself (direct_response)', 'let a pod answer it');
    if (match === undefined || direct !== undefined) {
      route.done();
      return;
    }
    if (redirect !== undefined) {
      this.#subject.route(route.at, { match, keys: { redirect: redirectKeys(redirect), ...headers } });
      return;
    }
    if (action === undefined) return;
    const service = this.#service(action);
    const timeout = action.textAt('timeout');
    const prefix = action.get('prefix_rewrite');
    action.skip('retry_policy', 'idle_timeout', 'max_stream_duration', 'priority', 'upgrade_configs');
    if (timeout === undefined) {
      this.#subject.note(
        action.at,
        'Envoy ends a request after 15 s; here it may take as long as it does',
        'write timeout: {request: 15s}',
      );
    }
    if (service === undefined) return;
    this.#subject.route(route.at, {
      match,
      service,
      keys: {
        ...(prefix === undefined ? {} : { rewrite: { prefix: prefix.text() ?? '/' } }),
        ...(timeout === undefined || /^0+(\.0+)?s$/.test(timeout)
          ? {}
          : { timeout: { request: protoDuration(timeout) } }),
        ...headers,
      },
    });
  }

  #service(action: Value): string | undefined {
    const weighted = action.list('weighted_clusters', 'clusters');
    const byWeight = weighted.toSorted((a, b) => Number(b.textAt('weight') ?? 0) - Number(a.textAt('weight') ?? 0));
    action.deep('weighted_clusters', 'total_weight')?.done();
    const name = byWeight[0]?.textAt('name') ?? action.textAt('cluster');
    const parts = weighted.filter((one) => one.textAt('weight') !== '0');
    if (parts.length > 1) {
      const names = parts.map((one) => one.textAt('name')).join(' and ');
      this.#subject.refuse(
        action.at,
        `weights for ${names}: all requests go to ${name}`,
        'a route leads to one service; an HTTPRoute has weights',
      );
    }
    for (const one of weighted) one.textAt('name');
    const key = name === undefined ? undefined : this.#clusters.get(name);
    if (key === undefined)
      this.#subject.refuse(action.at, `there is no cluster ${name ?? ''} to lead to`, 'add the service by hand');
    return key;
  }

  #match(match: Value | undefined, hosts: readonly string[]): RouteMatch | undefined {
    if (match === undefined) return undefined;
    const path = this.#path(match);
    const conditions = match.list('headers').map((header) => ({ header, ...namedOf(header) }));
    const query = match.list('query_parameters').map((header) => ({ header, ...namedOf(header) }));
    match.skip('grpc', 'runtime_fraction', 'tls_context');
    const refused = [...conditions, ...query].filter(({ named }) => named === undefined);
    for (const { header } of refused) {
      const message = `the condition on ${header.textAt('name')}, so the route is left out`;
      this.#subject.refuse(header.done().at, message, 'a condition is an exact value, or true for any');
    }
    if (path === undefined || refused.length > 0) return undefined;
    const named = conditions.flatMap((one) => (one.named === undefined ? [] : [one.named]));
    const methods = named.flatMap(({ name, value }) =>
      name === ':method' && value.kind === 'exact' ? [value.text] : [],
    );
    const authorities = named.flatMap(({ name, value }) =>
      name === ':authority' && value.kind === 'exact' ? [value.text] : [],
    );
    return {
      path,
      hosts: authorities.length > 0 ? authorities : hosts,
      methods,
      headers: named.filter(({ name }) => !name.startsWith(':')),
      query: query.flatMap((one) => (one.named === undefined ? [] : [one.named])),
    };
  }

  #path(match: Value): PathMatch | undefined {
    match.deep('case_sensitive')?.done();
    const exact = match.textAt('path');
    if (exact !== undefined) return { kind: 'exact', path: exact };
    const regex = match.textAt('safe_regex', 'regex') ?? match.textAt('regex');
    match.deep('safe_regex', 'google_re2')?.done();
    if (regex !== undefined) return { kind: 'regex', regex };
    const segments = match.textAt('path_separated_prefix');
    if (segments !== undefined) return { kind: 'prefix', prefix: segments };
    const prefix = match.get('prefix');
    const text = prefix?.text();
    if (prefix === undefined || text === undefined) {
      this.#subject.refuse(match.at, 'a match by something else than a path', 'write path, prefix or regex');
      return undefined;
    }
    return segmentPath(this.#subject, prefix, { kind: text.endsWith('/') ? 'prefix' : 'start', prefix: text });
  }

  #headers(route: Value): YamlMap {
    const changes = (add: string, remove: string): YamlMap | undefined => {
      const set: Record<string, Yaml> = {};
      const added: Record<string, Yaml> = {};
      for (const one of route.list(add)) {
        const name = one.textAt('header', 'key') ?? '';
        const value = one.textAt('header', 'value') ?? '';
        const action = one.textAt('append_action') ?? '';
        const replaces = /OVERWRITE/.test(action) || one.textAt('append') === 'false';
        if (value.includes('%'))
          this.#subject.refuse(one.at, `${name}: ${value} is made of the request`, 'write a fixed value');
        else (replaces ? set : added)[name] = value;
      }
      const removed = route.list(remove).map((one) => one.text() ?? '');
      return changesOf(set, added, removed);
    };
    return headerKeys(
      changes('request_headers_to_add', 'request_headers_to_remove'),
      changes('response_headers_to_add', 'response_headers_to_remove'),
    );
  }
}

function redirectKeys(redirect: Value): YamlMap {
  const status = { FOUND: 302, SEE_OTHER: 303, TEMPORARY_REDIRECT: 307, PERMANENT_REDIRECT: 308 };
  const code = Object.entries(status).find(([name]) => name === redirect.textAt('response_code'))?.[1] ?? 301;
  const port = redirect.textAt('port_redirect');
  const texts = {
    scheme: redirect.textAt('https_redirect') === 'true' ? 'https' : redirect.textAt('scheme_redirect'),
    host: redirect.textAt('host_redirect'),
    path: redirect.textAt('path_redirect'),
    prefix: redirect.textAt('prefix_rewrite'),
  };
  const keys = Object.entries(texts).flatMap(([key, text]) => (text === undefined ? [] : [[key, text] as const]));
  return { ...Object.fromEntries(keys), ...(port === undefined ? {} : { port: numeric(port) }), status: code };
}

function namedOf(condition: Value): { readonly named: NamedMatch | undefined } {
  const name = condition.textAt('name')?.toLowerCase() ?? '';
  const exact = condition.textAt('string_match', 'exact') ?? condition.textAt('exact_match');
  if (condition.textAt('invert_match') === 'true') return { named: undefined };
  if (exact !== undefined) return { named: { name, value: { kind: 'exact', text: exact } } };
  return { named: condition.textAt('present_match') === 'true' ? { name, value: { kind: 'present' } } : undefined };
}

/** `600s`, `0.25s`, as a route file has it. */
function protoDuration(text: string): string {
  const count = /^(\d+(?:\.\d+)?)s$/.exec(text)?.[1];
  if (count === undefined || !count.includes('.')) return text;
  return `${Math.round(Number(count) * 1000)}ms`;
}
