import type { Place, Remarks } from '../objects/remark.ts';
import { type Keys, numeric } from '../objects/service-settings.ts';
import type { Value } from '../objects/value.ts';
import { type MeshHost, meshHost } from './hosts.ts';

/** How pods are spoken to by TLS. */
export interface IstioTls {
  readonly place: Place;
  readonly name?: string;
  /** A file of the proxy that the rule was written for. */
  readonly ca?: { readonly place: Place; readonly path: string };
  readonly insecure: boolean;
}

/** What a DestinationRule says of the pods of a host. */
export interface DestinationRuleReading {
  /** As it is written. */
  readonly written: string;
  readonly host: MeshHost;
  /** Keys of the service, as the route file has them; undefined: there is no policy. */
  readonly keys: Keys | undefined;
  /** Where each first key is said. */
  readonly places: ReadonlyMap<string, Place>;
  readonly tls?: IstioTls;
}

const BALANCE: Readonly<Record<string, string>> = { ROUND_ROBIN: 'round_robin', RANDOM: 'random' };

/** Reads a DestinationRule; what is not done as it says is told. */
export function readDestinationRule(object: Value, remarks: Remarks): DestinationRuleReading {
  object.skip('apiVersion', 'kind', 'metadata', 'status');
  object.get('spec')?.skip('exportTo', 'workloadSelector');
  const namespace = object.textAt('metadata', 'namespace');
  const written = object.textAt('spec', 'host') ?? '';
  for (const subset of object.list('spec', 'subsets')) {
    const message = `subset ${subset.textAt('name')} selects pods by labels`;
    remarks.refuse(subset.done(), message, 'make a Service whose selector names them, and lead a route to it');
  }
  const policy = object.deep('spec', 'trafficPolicy');
  const reader = new PolicyReader(remarks, written);
  const tls = policy === undefined ? undefined : reader.read(policy);
  remarks.refuseUnread(object, 'see docs/istio.md for what there is');
  return {
    written,
    host: meshHost(written, namespace),
    keys: policy === undefined ? undefined : reader.keys,
    places: reader.places,
    ...(tls && { tls }),
  };
}

class PolicyReader {
  readonly #remarks: Remarks;
  readonly #host: string;
  readonly #keys: Record<string, Keys[string]> = {};
  readonly places = new Map<string, Place>();

  constructor(remarks: Remarks, host: string) {
    this.#remarks = remarks;
    this.#host = host;
  }

  get keys(): Keys {
    return this.#keys;
  }

  read(policy: Value): IstioTls | undefined {
    const ports = policy.get('portLevelSettings')?.done();
    if (ports !== undefined) {
      const fix = 'write annotations of sluice.dev at the Service of that port';
      this.#remarks.refuse(ports, 'portLevelSettings are not carried over', fix);
    }
    this.#balance(policy);
    this.#pool(policy.get('connectionPool'));
    this.#outlier(policy.get('outlierDetection'));
    return this.#tls(policy.get('tls'));
  }

  #set(place: Place, key: string, value: Keys[string]): void {
    this.#keys[key] = value;
    this.places.set(key, place);
  }

  #balance(policy: Value): void {
    const balancer = policy.get('loadBalancer');
    const simple = balancer?.get('simple');
    const balance = BALANCE[simple?.text() ?? ''];
    if (simple !== undefined && balance !== undefined) this.#set(simple, 'balance', balance);
    else if (simple?.text() === 'PASSTHROUGH') {
      this.#remarks.refuse(simple, 'PASSTHROUGH', 'requests go to the pods of the service');
    }
    const hash = balancer?.get('consistentHash')?.done();
    if (hash !== undefined) {
      const fix = 'the next request goes to the first free pod: keep sessions outside of pods';
      this.#remarks.refuse(hash, 'consistentHash is not carried over', fix);
    }
    balancer?.skip('warmupDurationSecs', 'warmup', 'localityLbSetting');
  }

  #pool(pool: Value | undefined): void {
    pool?.get('tcp')?.skip('tcpKeepalive', 'idleTimeout', 'maxConnectionDuration');
    pool
      ?.get('http')
      ?.skip('maxRequestsPerConnection', 'maxRetries', 'idleTimeout', 'h2UpgradePolicy', 'useClientProtocol');
    const connect = pool?.deep('tcp', 'connectTimeout');
    if (connect !== undefined) this.#set(connect, 'timeout', { connect: connect.text() ?? '' });
    const pending = pool?.deep('http', 'http1MaxPendingRequests');
    if (pending !== undefined) this.#set(pending, 'queue', { max: numeric(pending.text() ?? '') });
    for (const found of [pool?.deep('tcp', 'maxConnections'), pool?.deep('http', 'http2MaxRequests')]) {
      const value = found?.text();
      if (found === undefined || value === undefined) continue;
      const message = `${value} is what one client's proxy may have at all pods of ${this.#host} together, and says nothing of one pod`;
      const fix = `if one pod may hold ${value}, write limit: ${value} at the service, or the annotation sluice.dev/limit: "${value}" at the Service`;
      this.#remarks.note(found, message, fix);
    }
  }

  #outlier(outlier: Value | undefined): void {
    if (outlier === undefined) return;
    outlier.skip(
      'interval',
      'maxEjectionPercent',
      'minHealthPercent',
      'consecutiveGatewayErrors',
      'splitExternalLocalOriginErrors',
      'consecutiveLocalOriginFailures',
    );
    const consecutive = outlier.textAt('consecutive5xxErrors') ?? outlier.textAt('consecutiveErrors');
    const eject = outlier.textAt('baseEjectionTime');
    this.#set(outlier, 'outlier', {
      ...(consecutive === undefined ? {} : { consecutive_5xx: numeric(consecutive) }),
      ...(eject === undefined ? {} : { eject }),
    });
  }

  #tls(tls: Value | undefined): IstioTls | undefined {
    const mode = tls?.textAt('mode') ?? 'DISABLE';
    if (tls === undefined || mode === 'DISABLE') return undefined;
    if (mode !== 'SIMPLE') {
      const message = `tls mode ${mode}: pods are not shown a certificate`;
      const fix = 'let the pods take plain HTTP from Sluice (PeerAuthentication PERMISSIVE)';
      this.#remarks.refuse(tls.done(), message, fix);
      return undefined;
    }
    const name = tls.textAt('sni');
    const ca = tls.get('caCertificates');
    const path = ca?.text();
    this.places.set('protocol', tls);
    return {
      place: tls,
      ...(name === undefined ? {} : { name }),
      ...(ca === undefined || path === undefined ? {} : { ca: { place: ca, path } }),
      insecure: tls.textAt('insecureSkipVerify') === 'true',
    };
  }
}
