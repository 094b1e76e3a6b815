import { z } from 'zod';
import { fail, ok, type Result } from '../base/result.ts';
import { type AdminPlace, formatPlace } from './admin-place.ts';
import { type EnvoyVersion, parseVersion } from './binary/version.ts';
import { type Answer, httpGet, httpPost } from './http-get.ts';

/** What Envoy says of itself: it takes requests when `LIVE`. */
export type EnvoyState = (typeof STATES)[number];

const STATES = ['LIVE', 'DRAINING', 'PRE_INITIALIZING', 'INITIALIZING'] as const;

/** What is asked of a running Envoy. */
export interface ServerInfo {
  readonly version: EnvoyVersion;
  readonly state: EnvoyState;
  /** Workers. */
  readonly concurrency: number;
  readonly nodeId: string;
}

/** Which statistics to ask for: all of them are megabytes. */
export interface StatsQuery {
  /** An RE2 regular expression, found anywhere in the name. */
  readonly filter: string;
  /** Only those that were written at least once. */
  readonly usedOnly?: boolean;
  readonly type?: 'Counters' | 'Gauges';
}

/** One part of the configuration Envoy has. */
export interface ConfigDumpQuery {
  /** A repeated field of a dump, such as `dynamic_active_clusters`, `dynamic_listeners`, `dynamic_route_configs`. */
  readonly resource: string;
  /** An RE2 regular expression on the names. */
  readonly nameRegex?: string;
}

/** One host of a cluster, as Envoy sees it. */
export interface HostStatus {
  /** IPv6 without brackets. */
  readonly address: string;
  readonly port: number;
  /** Envoy gives it no request for the moment: outlier detection has ejected it, or it has failed its health checks. */
  readonly isOut: boolean;
}

/** Envoy's admin interface. Every call opens its own connection; every error says where and why. */
export interface EnvoyAdmin {
  state(signal?: AbortSignal): Promise<Result<EnvoyState, string>>;
  serverInfo(signal?: AbortSignal): Promise<Result<ServerInfo, string>>;
  /** Counters and gauges by name; histograms and texts are left out. */
  stats(query: StatsQuery, signal?: AbortSignal): Promise<Result<ReadonlyMap<string, number>, string>>;
  /** The hosts of every cluster whose name `filter` (an RE2 regular expression) finds; hosts inside Envoy are left out. */
  hosts(filter: string, signal?: AbortSignal): Promise<Result<ReadonlyMap<string, readonly HostStatus[]>, string>>;
  /** Has Envoy do what the path says. */
  post(path: string, signal?: AbortSignal): Promise<Result<void, string>>;
  /** The matching resources in Envoy's JSON form; none is an empty list. */
  configDump(query: ConfigDumpQuery, signal?: AbortSignal): Promise<Result<readonly unknown[], string>>;
}

const infoSchema = z.object({
  version: z.string(),
  state: z.enum(STATES),
  // Left out by Envoy when 0 or empty, as JSON of protobuf does.
  command_line_options: z.object({ concurrency: z.number().default(0) }),
  node: z.object({ id: z.string().default('') }).default({ id: '' }),
});
const statsSchema = z.object({
  stats: z.array(z.object({ name: z.string().optional(), value: z.unknown().optional() })),
});
const hostSchema = z.object({
  address: z.object({ socket_address: z.object({ address: z.string(), port_value: z.number() }).optional() }),
  // Each of them is left out while it does not hold.
  health_status: z
    .object({
      failed_outlier_check: z.boolean().default(false),
      failed_active_health_check: z.boolean().default(false),
    })
    .default({ failed_outlier_check: false, failed_active_health_check: false }),
});
const clustersSchema = z.object({
  cluster_statuses: z.array(z.object({ name: z.string(), host_statuses: z.array(hostSchema).default([]) })).default([]),
});
const dumpSchema = z.object({ configs: z.array(z.unknown()).default([]) });

/** A client for the admin at `address`; a call takes at most `timeoutMs`. */
export function envoyAdmin(address: AdminPlace, timeoutMs = 5000): EnvoyAdmin {
  const ask = async (how: typeof httpGet, path: string, signal?: AbortSignal): Promise<Result<Answer, string>> => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const answer = await how(address, path, signal ? AbortSignal.any([signal, timeout]) : timeout);
    return answer.ok ? answer : fail(...answer.errors.map((why) => `${formatPlace(address)}${path}: ${why}`));
  };
  const get = (path: string, signal?: AbortSignal) => ask(httpGet, path, signal);
  const getJson = async <T>(path: string, schema: z.ZodType<T>, signal?: AbortSignal): Promise<Result<T, string>> => {
    const answer = await get(path, signal);
    return answer.ok ? readJson(answer.value, schema, `${formatPlace(address)}${path}`) : answer;
  };
  return {
    async state(signal) {
      const answer = await get('/ready', signal);
      if (!answer.ok) return answer;
      const state = STATES.find((known) => known === answer.value.body.trim());
      return state === undefined ? fail(`${formatPlace(address)}/ready is not the admin of an Envoy`) : ok(state);
    },
    async serverInfo(signal) {
      const info = await getJson('/server_info', infoSchema, signal);
      if (!info.ok) return info;
      const version = parseVersion(info.value.version);
      if (!version.ok) return version;
      const { state, command_line_options, node } = info.value;
      return ok({ version: version.value, state, concurrency: command_line_options.concurrency, nodeId: node.id });
    },
    async stats({ filter, usedOnly = false, type }, signal) {
      const path = `/stats?format=json&filter=${encodeURIComponent(filter)}${usedOnly ? '&usedonly' : ''}${type ? `&type=${type}` : ''}`;
      const stats = await getJson(path, statsSchema, signal);
      if (!stats.ok) return stats;
      return ok(new Map(stats.value.stats.flatMap(({ name, value }) => numeric(name, value))));
    },
    async hosts(filter, signal) {
      const path = `/clusters?format=json&filter=${encodeURIComponent(filter)}`;
      const clusters = await getJson(path, clustersSchema, signal);
      if (!clusters.ok) return clusters;
      return ok(
        new Map(clusters.value.cluster_statuses.map(({ name, host_statuses }) => [name, hostsOf(host_statuses)])),
      );
    },
    async post(path, signal) {
      const answer = await ask(httpPost, path, signal);
      if (!answer.ok) return answer;
      const { status } = answer.value;
      return status === 200 ? ok(undefined) : fail(`${formatPlace(address)}${path}: answered with ${status}`);
    },
    async configDump({ resource, nameRegex }, signal) {
      const names = nameRegex === undefined ? '' : `&name_regex=${encodeURIComponent(nameRegex)}`;
      const dump = await getJson(`/config_dump?resource=${encodeURIComponent(resource)}${names}`, dumpSchema, signal);
      return dump.ok ? ok(dump.value.configs) : dump;
    },
  };
}

function readJson<T>({ status, body }: Answer, schema: z.ZodType<T>, where: string): Result<T, string> {
  if (status !== 200) return fail(`${where}: status ${status}: ${body.trim().slice(0, 200)}`);
  const parsed = schema.safeParse(parseJson(body));
  return parsed.success
    ? ok(parsed.data)
    : fail(`${where} is not the admin of an Envoy: ${z.prettifyError(parsed.error)}`);
}

function hostsOf(statuses: readonly z.infer<typeof hostSchema>[]): readonly HostStatus[] {
  return statuses.flatMap(({ address: { socket_address: socket }, health_status: health }) => {
    if (socket === undefined) return [];
    const isOut = health.failed_outlier_check || health.failed_active_health_check;
    return [{ address: socket.address, port: socket.port_value, isOut }];
  });
}

function numeric(name: string | undefined, value: unknown): readonly (readonly [string, number])[] {
  return name !== undefined && typeof value === 'number' ? [[name, value]] : [];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON is as wrong as the wrong JSON: the schema says so.
    return undefined;
  }
}
