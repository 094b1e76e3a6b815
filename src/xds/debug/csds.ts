import {
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { envoy } from '#xds';
import type { Caller, NodeGuard } from '../../base/node-guard.ts';
import { rawMethod } from '../../base/raw-method.ts';
import { reasonOf } from '../../base/reason.ts';
import type { SnapshotCache } from '../../snapshot/cache.ts';
import { TYPE_URLS, type TypeUrl } from '../../snapshot/resource.ts';
import type { NodeState, ResourceState } from '../protocol/node-state.ts';
import type { ExtraService } from '../server/extra-service.ts';
import { compileMatchers, type NodeTest } from './node-matcher.ts';

const { ClientStatusRequest, ClientStatusResponse, ConfigStatus } = envoy.service.status.v3;
const { ClientResourceStatus } = envoy.admin.v3;
type ClientConfig = envoy.service.status.v3.ClientConfig.$Properties;
type XdsConfig = envoy.service.status.v3.ClientConfig.GenericXdsConfig.$Properties;

const SERVICE = 'envoy.service.status.v3.ClientStatusDiscoveryService';

/** What the status is made of. */
export interface StatusSource {
  nodes(): readonly NodeState[];
  resources(nodeId: string): readonly ResourceState[];
}

/**
 * The client status discovery service: what every node was sent, resource by resource, and whether it took it. A
 * refused resource has the client's own words in its `error_state`. A client sees the nodes that it may speak for.
 */
export function clientStatusService(source: StatusSource, cache: SnapshotCache, guard: NodeGuard): ExtraService {
  const open = new Set<ServerDuplexStream<Buffer, Buffer>>();
  const answer = (caller: Caller, bytes: Buffer) => {
    const nodes = () => source.nodes().filter(({ node }) => guard(caller, node.id) === undefined);
    return respond(bytes, { nodes, resources: (nodeId) => source.resources(nodeId) }, cache);
  };
  return {
    definition: {
      StreamClientStatus: rawMethod(`/${SERVICE}/StreamClientStatus`, 'both'),
      FetchClientStatus: rawMethod(`/${SERVICE}/FetchClientStatus`, 'neither'),
    },
    implementation: {
      StreamClientStatus: (call: ServerDuplexStream<Buffer, Buffer>) => {
        open.add(call);
        call.on('close', () => open.delete(call));
        call.on('error', () => open.delete(call));
        call.on('end', () => call.end());
        call.on('data', (bytes: Buffer) => {
          const response = answer(call, bytes);
          // How grpc-js takes the status a stream ends with.
          if (!Buffer.isBuffer(response)) call.emit('error', response);
          // Whoever does not read the last answer gets no further one.
          else if (!call.write(response)) {
            call.pause();
            call.once('drain', () => call.resume());
          }
        });
      },
      FetchClientStatus: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        const response = answer(call, call.request);
        if (Buffer.isBuffer(response)) callback(null, response);
        else callback(response);
      },
    },
    end: () => {
      for (const call of open) call.end();
    },
  };
}

type Refusal = Pick<ServiceError, 'code' | 'details'>;

function respond(bytes: Buffer, source: StatusSource, cache: SnapshotCache): Buffer | Refusal {
  let request: envoy.service.status.v3.ClientStatusRequest;
  try {
    request = ClientStatusRequest.decode(bytes);
  } catch (error) {
    return { code: status.INVALID_ARGUMENT, details: `not a ClientStatusRequest: ${reasonOf(error)}` };
  }
  const matches = compileMatchers(request.nodeMatchers);
  if (!matches.ok) return { code: status.INVALID_ARGUMENT, details: matches.errors.join('; ') };
  const withContents = !request.excludeResourceContents;
  return Buffer.from(
    ClientStatusResponse.encode({ config: configs(source, matches.value, withContents ? cache : undefined) }).finish(),
  );
}

function configs(source: StatusSource, matches: NodeTest, cache: SnapshotCache | undefined): ClientConfig[] {
  return source
    .nodes()
    .filter(({ node }) => matches(node))
    .map(({ node, userAgent }) => {
      const types: Readonly<Record<string, { readonly resources: ReadonlyMap<string, Content> }>> =
        cache?.get(node)?.types ?? {};
      const genericXdsConfigs = source.resources(node.id).map((resource) => {
        const content = Object.hasOwn(types, resource.typeUrl)
          ? types[resource.typeUrl]?.resources.get(resource.name)
          : undefined;
        return xdsConfig(resource, content);
      });
      return { node: { id: node.id, cluster: node.cluster, userAgentName: userAgent }, genericXdsConfigs };
    });
}

interface Content {
  readonly typeUrl: TypeUrl;
  readonly version: string;
  readonly body: Uint8Array;
}

function xdsConfig(resource: ResourceState, content: Content | undefined): XdsConfig {
  const { typeUrl, name, version: versionInfo, firstSentAt } = resource;
  const config: XdsConfig = { typeUrl, name, versionInfo, ...statuses(resource) };
  // Something newer may be active by now; then there is nothing to show of the old one. Private keys are nobody's.
  if (content?.version === versionInfo && typeUrl !== TYPE_URLS.secret)
    config.xdsConfig = { typeUrl, value: content.body };
  if (firstSentAt !== undefined) {
    config.lastUpdated = { seconds: Math.floor(firstSentAt / 1000), nanos: (firstSentAt % 1000) * 1e6 };
  }
  if (resource.message !== undefined) config.errorState = { details: resource.message, versionInfo };
  return config;
}

/** How the server sees it, and how the client does, as far as it has said so. */
function statuses({ status: state }: ResourceState): Pick<XdsConfig, 'configStatus' | 'clientStatus'> {
  switch (state) {
    case 'acked':
      return { configStatus: ConfigStatus.SYNCED, clientStatus: ClientResourceStatus.ACKED };
    case 'sent':
      return { configStatus: ConfigStatus.STALE, clientStatus: ClientResourceStatus.REQUESTED };
    case 'nacked':
      return { configStatus: ConfigStatus.ERROR, clientStatus: ClientResourceStatus.NACKED };
    case 'missing':
      return { configStatus: ConfigStatus.NOT_SENT, clientStatus: ClientResourceStatus.DOES_NOT_EXIST };
  }
}
