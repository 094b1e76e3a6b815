import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Run by test/kube/run.sh, which makes the network these tests need.
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/kube/**/*.test.ts'],
    globalSetup: ['test/kube/kit/shared-cluster.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // As in ../../vitest.config.ts.
    retry: process.env['CI'] ? 1 : 0,
    reporters: [process.env['CI'] ? 'verbose' : 'default'],
    // The API server needs most of a small machine.
    fileParallelism: false,
    // Outages last a minute each, with nothing to do meanwhile.
    maxConcurrency: 12,
  },
});
