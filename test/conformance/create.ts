import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { TestCluster } from '../kube/kit/cluster.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Has a cluster serve the Gateway API (from the folder that crds.sh prints) and SlotPolicy, with the class `sluice`. */
export async function createGatewayApi(cluster: TestCluster): Promise<void> {
  const folder = process.env['SLUICE_GATEWAY_CRDS'] ?? '';
  const definitions = readdirSync(folder).map((file) => join(folder, file));
  const own = ['k8s/crds/slot-policy.yaml', 'k8s/gateway-api/gateway-class.yaml'].map((file) => join(root, file));
  for (const file of [...definitions, ...own]) {
    for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) await create(cluster, document.toJS());
  }
}

interface Created {
  readonly apiVersion: string;
  readonly kind: string;
}

async function create(cluster: TestCluster, object: Created | null): Promise<void> {
  if (object === null) return;
  const plural = object.kind === 'GatewayClass' ? 'gatewayclasses' : 'customresourcedefinitions';
  // A definition takes a moment to be served.
  for (let tries = 0; ; tries++) {
    const { status, body } = await cluster.ask('POST', `/apis/${object.apiVersion}/${plural}`, object, true);
    if (status === 201) return;
    if (status !== 404 || tries > 100) throw new Error(`${object.kind}: ${status} ${JSON.stringify(body)}`);
    await sleep(100);
  }
}

/** Waits until Sluice has accepted the class. */
export async function untilAccepted(cluster: TestCluster): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const { body } = await cluster.ask('GET', '/apis/gateway.networking.k8s.io/v1/gatewayclasses/sluice');
    const conditions: readonly { readonly type: string; readonly status: string }[] = body.status?.conditions ?? [];
    if (conditions.some(({ type, status }) => type === 'Accepted' && status === 'True')) return;
    await sleep(100);
  }
  throw new Error('Sluice has not accepted the GatewayClass');
}
