import { type Reader, readInner, readMessage } from './protobuf-fields.ts';

/** The requests a pod was working on when an Envoy reported. */
export interface EndpointLoad {
  /** IPv6 without brackets. */
  readonly address: string;
  readonly port: number;
  readonly requestsInProgress: number;
}

/** What a report says about one cluster. */
export interface ClusterLoad {
  readonly cluster: string;
  /** Requests in progress at all its endpoints, those inside Envoy included. */
  readonly requestsInProgress: number;
  /** Only pods with something to tell: one that is not here has nothing in progress. */
  readonly endpoints: readonly EndpointLoad[];
}

/** A message of a load report stream. */
export interface LoadReport {
  /** Empty: it does not say. */
  readonly nodeId: string;
  readonly clusters: readonly ClusterLoad[];
}

/**
 * Reads a `LoadStatsRequest`. By hand, and only what is used: each report brings the node with all names of Envoy's
 * extensions, which are the larger part of what it takes to decode the whole. Throws on bytes that are no such message.
 */
export function readLoadReport(bytes: Uint8Array): LoadReport {
  let nodeId = '';
  const clusters: ClusterLoad[] = [];
  readMessage(bytes, (number, reader) => {
    if (number === 1) {
      return readInner(reader, (inner) => {
        if (inner !== 1) return false;
        nodeId = reader.string();
        return true;
      });
    }
    return number === 2 && readCluster(reader, clusters);
  });
  return { nodeId, clusters };
}

/** `ClusterStats`. */
function readCluster(reader: Reader, clusters: ClusterLoad[]): true {
  let cluster = '';
  let requestsInProgress = 0;
  const endpoints: EndpointLoad[] = [];
  readInner(reader, (number) => {
    if (number === 1) cluster = reader.string();
    else if (number === 2) requestsInProgress += readLocality(reader, endpoints);
    else return false;
    return true;
  });
  clusters.push({ cluster, requestsInProgress, endpoints: addedUp(endpoints) });
  return true;
}

/** `UpstreamLocalityStats`; what is in progress in it. */
function readLocality(reader: Reader, endpoints: EndpointLoad[]): number {
  let inProgress = 0;
  readInner(reader, (number) => {
    if (number === 3) inProgress = readCount(reader);
    else if (number === 7) readEndpoint(reader, endpoints);
    else return false;
    return true;
  });
  return inProgress;
}

/** `UpstreamEndpointStats`. */
function readEndpoint(reader: Reader, endpoints: EndpointLoad[]): void {
  let socket: { readonly address: string; readonly port: number } | undefined;
  let requestsInProgress = 0;
  readInner(reader, (number) => {
    if (number === 1) {
      return readInner(reader, (kind) => {
        // Gates lead to listeners inside Envoy, whose addresses are of another kind, and which are no pods.
        if (kind !== 1) return false;
        socket = readSocket(reader);
        return true;
      });
    }
    if (number !== 3) return false;
    requestsInProgress = readCount(reader);
    return true;
  });
  if (socket !== undefined) endpoints.push({ ...socket, requestsInProgress });
}

/** `SocketAddress`. */
function readSocket(reader: Reader): { readonly address: string; readonly port: number } {
  let address = '';
  let port = 0;
  readInner(reader, (number) => {
    if (number === 2) address = reader.string();
    else if (number === 3) port = reader.uint32();
    else return false;
    return true;
  });
  return { address, port };
}

/** A `uint64`, of which 53 bits are more than anybody counts. */
function readCount(reader: Reader): number {
  return Number(reader.uint64());
}

/** One that is in several localities or priorities is added up. */
function addedUp(endpoints: readonly EndpointLoad[]): readonly EndpointLoad[] {
  const loads = new Map<string, EndpointLoad>();
  for (const load of endpoints) {
    const key = `${load.address} ${load.port}`;
    const before = loads.get(key);
    const requestsInProgress = (before?.requestsInProgress ?? 0) + load.requestsInProgress;
    loads.set(key, before === undefined ? load : { ...load, requestsInProgress });
  }
  return loads.size === endpoints.length ? endpoints : [...loads.values()];
}
