import type { TestProject } from 'vitest/node';
import { TestCluster } from './cluster.ts';

declare module 'vitest' {
  /** What `inject` gives to the tests. */
  export interface ProvidedContext {
    /** The folder of the cluster that all tests share, each with a namespace of its own. */
    kubeCluster: string;
  }
}

/** Starts the cluster that all tests of one run share; the returned function ends it. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (process.env['SLUICE_KUBE_PROGRAM'] === undefined) return undefined;
  const cluster = await TestCluster.start();
  project.provide('kubeCluster', cluster.folder);
  return () => cluster.stop();
}
