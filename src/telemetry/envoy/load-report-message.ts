import { bytesField, endOf, type Reader, readInner, readMessage, varintField } from './protobuf-fields.ts';

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
  /** Only pods with something in progress. */
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

/** `ClusterStats`. From here on loops without callbacks: there are thousands of endpoints in a second. */
function readCluster(reader: Reader, clusters: ClusterLoad[]): true {
  let [cluster, requestsInProgress, localities] = ['', 0, 0];
  const endpoints: EndpointLoad[] = [];
  for (const end = endOf(reader); reader.pos < end; ) {
    const tag = reader.uint32();
    if (tag === bytesField(1)) cluster = reader.string();
    else if (tag === bytesField(2)) {
      localities++;
      requestsInProgress += readLocality(reader, endpoints);
    } else reader.skipType(tag & 7);
  }
  clusters.push({ cluster, requestsInProgress, endpoints: localities < 2 ? endpoints : addedUp(endpoints) });
  return true;
}

/** `UpstreamLocalityStats`; what is in progress in it. */
function readLocality(reader: Reader, endpoints: EndpointLoad[]): number {
  let inProgress = 0;
  for (const end = endOf(reader); reader.pos < end; ) {
    const tag = reader.uint32();
    if (tag === varintField(3)) inProgress = readCount(reader);
    else if (tag === bytesField(7)) readEndpoint(reader, endpoints);
    else reader.skipType(tag & 7);
  }
  return inProgress;
}

/** `UpstreamEndpointStats`: of most pods it says that all their requests have ended, and then nobody needs to know which. */
function readEndpoint(reader: Reader, endpoints: EndpointLoad[]): void {
  let [addressAt, requestsInProgress] = [0, 0];
  for (const end = endOf(reader); reader.pos < end; ) {
    const tag = reader.uint32();
    if (tag === varintField(3)) requestsInProgress = readCount(reader);
    else {
      if (tag === bytesField(1)) addressAt = reader.pos;
      reader.skipType(tag & 7);
    }
  }
  if (requestsInProgress === 0 || addressAt === 0) return;
  const end = reader.pos;
  reader.pos = addressAt;
  readAddress(reader, requestsInProgress, endpoints);
  reader.pos = end;
}

/** `Address`. Gates lead to listeners inside Envoy, whose addresses are of another kind, and which are no pods. */
function readAddress(reader: Reader, requestsInProgress: number, endpoints: EndpointLoad[]): void {
  for (const end = endOf(reader); reader.pos < end; ) {
    const tag = reader.uint32();
    if (tag === bytesField(1)) endpoints.push({ ...readSocket(reader), requestsInProgress });
    else reader.skipType(tag & 7);
  }
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
