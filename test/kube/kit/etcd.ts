import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCluster } from './cluster.ts';

/** A cluster's etcd, for what changes while its API server is away: as another API server would change it. */
export class Etcd {
  readonly #url: string;

  constructor({ folder }: TestCluster) {
    const url = /--etcd-servers=(\S+)/.exec(readFileSync(join(folder, 'apiserver.sh'), 'utf8'))?.[1];
    if (url === undefined) throw new Error(`no etcd in ${folder}/apiserver.sh`);
    this.#url = url;
  }

  /** The stored bytes of an EndpointSlice, in base64. */
  async readSlice(namespace: string, name: string): Promise<string> {
    const answer = await this.#ask('range', { key: keyOf(namespace, name) });
    const value = answer.kvs?.[0]?.value;
    if (value === undefined) throw new Error(`etcd has no EndpointSlice ${namespace}/${name}`);
    return value;
  }

  /** Puts back what `readSlice` gave: its version is the change's, not what is in the bytes. */
  async writeSlice(namespace: string, name: string, value: string): Promise<void> {
    await this.#ask('put', { key: keyOf(namespace, name), value });
  }

  /** etcd's JSON form of its gRPC calls (grpc-gateway). */
  async #ask(call: 'range' | 'put', body: object): Promise<{ kvs?: readonly { value: string }[] }> {
    const answer = await fetch(`${this.#url}/v3/kv/${call}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd ${call}: ${answer.status} ${await answer.text()}`);
    // The shape etcd documents for both calls; `put` has no `kvs`.
    return (await answer.json()) as { kvs?: readonly { value: string }[] };
  }
}

function keyOf(namespace: string, name: string): string {
  return Buffer.from(`/registry/endpointslices/${namespace}/${name}`).toString('base64');
}
