import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EnvoyBootstrap, Json } from '../../../src/envoy/bootstrap.ts';
import { controlListener, type FilterEnvoy, filterBootstrap, plugin } from './bootstrap.ts';

/** Configuration that changes while Envoy runs, as files that it watches: the three plugins. */
export class DynamicFilter {
  readonly #folder: string;
  #version = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async make(): Promise<DynamicFilter> {
    return new DynamicFilter(await mkdtemp(join(tmpdir(), 'sluice-filter-')));
  }

  /** The bootstrap of an Envoy that takes its plugins from here. */
  async bootstrap(envoy: FilterEnvoy): Promise<EnvoyBootstrap> {
    await this.set(envoy);
    return filterBootstrap({ ...envoy, dynamic: (name) => this.#source(name), listeners: this.#source('listeners') });
  }

  /** Sets the plugins; `control` leaves the control listener, and its stream, as it is. */
  async set(envoy: FilterEnvoy, parts: readonly ('queue' | 'try' | 'control')[] = ['queue', 'try', 'control']) {
    this.#version += 1;
    for (const part of parts) {
      if (part === 'control') {
        const type = 'type.googleapis.com/envoy.config.listener.v3.Listener';
        await this.#write('listeners', { '@type': type, ...controlListener(envoy) });
      } else {
        const type = 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig';
        await this.#write(part, { '@type': type, ...plugin(envoy, part) });
      }
    }
  }

  async stop(): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }

  /** Envoy notices a file that is moved to its place. */
  async #write(name: string, resource: { readonly [key: string]: Json }): Promise<void> {
    const path = join(this.#folder, `${name}.json`);
    await writeFile(`${path}.new`, JSON.stringify({ version_info: String(this.#version), resources: [resource] }));
    await rename(`${path}.new`, path);
  }

  #source(name: string): { readonly [key: string]: Json } {
    const path = join(this.#folder, `${name}.json`);
    return {
      resource_api_version: 'V3',
      path_config_source: { path, watched_directory: { path: this.#folder } },
    };
  }
}
