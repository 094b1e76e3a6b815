import { envoy, type google } from '#xds';
import { remember } from '../../base/remember.ts';
import type { NodeIdentity } from '../../snapshot/cache.ts';
import { TYPE_URLS, type XdsResource } from '../../snapshot/resource.ts';
import { intern } from './intern.ts';
import type { DeltaRequest } from './step-delta.ts';
import type { SotwRequest } from './step-sotw.ts';
import type { Response } from './type-state.ts';

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse } =
  envoy.service.discovery.v3;

/** A client's words are kept with every resource they are about; Envoy's own are far shorter. */
const LONGEST_MESSAGE = 8192;

const sotwParts = new WeakMap<XdsResource, Uint8Array>();
const deltaParts = new WeakMap<XdsResource, Uint8Array>();

/** Encodes a resource once; every stream's responses are made of the same bytes. `encode` need not make a copy. */
function part(parts: WeakMap<XdsResource, Uint8Array>, resource: XdsResource, encode: () => Uint8Array): Uint8Array {
  return remember(parts, resource, () => joined([encode()]));
}

/**
 * The pieces one after the other, in memory of their own. Node cuts small buffers out of slabs of 64 KiB, and one that is
 * kept keeps the whole slab: thousands of them would need many times their own size.
 */
function joined(pieces: readonly Uint8Array[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** A `DiscoveryResponse`. Encoded messages that follow one another are one message whose lists are joined. */
export function encodeSotw(response: Response, identifier: string): Buffer {
  const { version: versionInfo, typeUrl, nonce } = response;
  const head = DiscoveryResponse.encode({ versionInfo, typeUrl, nonce, controlPlane: { identifier } }).finish(true);
  const parts = response.resources.map((resource) =>
    part(sotwParts, resource, () =>
      DiscoveryResponse.encode({ resources: [{ typeUrl: resource.typeUrl, value: resource.body }] }).finish(true),
    ),
  );
  return joined([head, ...parts]);
}

/** A `DeltaDiscoveryResponse`. */
export function encodeDelta(response: Response, identifier: string): Buffer {
  const { version: systemVersionInfo, typeUrl, nonce, removed } = response;
  const head = DeltaDiscoveryResponse.encode({
    systemVersionInfo,
    typeUrl,
    nonce,
    removedResources: [...removed],
    controlPlane: { identifier },
  }).finish(true);
  const parts = response.resources.map((resource) =>
    part(deltaParts, resource, () => {
      const { name, version } = resource;
      const any = { typeUrl: resource.typeUrl, value: resource.body };
      return DeltaDiscoveryResponse.encode({ resources: [{ name, version, resource: any }] }).finish(true);
    }),
  );
  return joined([head, ...parts]);
}

/** The client, as it introduces itself. */
export interface Introduction {
  readonly node: NodeIdentity;
  /** Such as `envoy 1.40.0`. */
  readonly userAgent: string;
}

/** A decoded request of either variant: what every stream looks at, and what its step does. */
export interface Incoming<Request> {
  readonly typeUrl: string;
  readonly introduction: Introduction;
  /** Whether the client has something of this type from a stream before, or says so on this one. */
  readonly returning: boolean;
  /** The clusters that it says it holds from a stream before. */
  readonly holds: readonly string[];
  readonly request: Request;
}

/** Reads a `DiscoveryRequest`. Throws on bytes that are not one. */
export function decodeSotw(bytes: Uint8Array): Incoming<SotwRequest> {
  const {
    typeUrl,
    node,
    versionInfo: version,
    responseNonce: nonce,
    resourceNames,
    resourceLocators,
    errorDetail,
  } = DiscoveryRequest.decode(bytes);
  const names = [...resourceNames, ...namesIn(resourceLocators)].map(intern);
  const request = { kind: 'request', nonce, version, names, error: refusal(errorDetail) } as const;
  const returning = version !== '' && nonce === '';
  // Clusters are asked for without names, endpoints by the names of the clusters that there are.
  const holds = returning && typeUrl === TYPE_URLS.endpoints ? names : [];
  return { typeUrl: intern(typeUrl), introduction: introduction(node), returning, holds, request };
}

/** Reads a `DeltaDiscoveryRequest`. Throws on bytes that are not one. */
export function decodeDelta(bytes: Uint8Array): Incoming<DeltaRequest> {
  const message = DeltaDiscoveryRequest.decode(bytes);
  const request = {
    kind: 'request',
    nonce: message.responseNonce,
    subscribe: [...message.resourceNamesSubscribe, ...namesIn(message.resourceLocatorsSubscribe)].map(intern),
    unsubscribe: [...message.resourceNamesUnsubscribe, ...namesIn(message.resourceLocatorsUnsubscribe)].map(intern),
    initialVersions: new Map(Object.entries(message.initialResourceVersions)),
    error: refusal(message.errorDetail),
  } as const;
  const held = [...request.initialVersions.keys()];
  const { typeUrl } = message;
  const about = { introduction: introduction(message.node), returning: held.length > 0 };
  return { typeUrl: intern(typeUrl), ...about, holds: typeUrl === TYPE_URLS.cluster ? held : [], request };
}

/** A locator is a name with parameters for variants of a resource, of which there are none here. */
function namesIn(locators: readonly envoy.service.discovery.v3.ResourceLocator.$Properties[]): readonly string[] {
  return locators.map(({ name }) => name ?? '');
}

function refusal(error: google.rpc.Status.$Properties | null | undefined): string | undefined {
  if (error === null || error === undefined) return undefined;
  const message = (error.message ?? '').trim();
  return message === '' ? `refused without a reason (code ${error.code ?? 0})` : message.slice(0, LONGEST_MESSAGE);
}

/** Who sent a request; a client that says nothing has empty names. */
function introduction(node: envoy.config.core.v3.Node.$Properties | null | undefined): Introduction {
  const build = node?.userAgentBuildVersion?.version;
  const version = build
    ? `${build.majorNumber ?? 0}.${build.minorNumber ?? 0}.${build.patch ?? 0}`
    : node?.userAgentVersion;
  return {
    node: { id: node?.id ?? '', cluster: node?.cluster ?? '', metadata: plainObject(node?.metadata) },
    userAgent: [node?.userAgentName, version].filter(Boolean).join(' '),
  };
}

function plainObject(struct: google.protobuf.Struct.$Properties | null | undefined): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(struct?.fields ?? {}).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: google.protobuf.Value.$Properties): unknown {
  if (value.structValue) return plainObject(value.structValue);
  if (value.listValue) return (value.listValue.values ?? []).map(plainValue);
  return value.stringValue ?? value.numberValue ?? value.boolValue ?? null;
}
