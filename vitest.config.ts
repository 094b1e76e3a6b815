import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // These need a Kubernetes API server: npm run test:kube.
    exclude: ['test/kube/**'],
    globalSetup: ['test/setup.ts'],
    // Most tests wait for something. On two cores vitest's own choice is one at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Real processes on a busy machine: a test waits for a condition, and this is when it gives up.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Machines that run CI may stop for seconds: one more try there, which the report shows as "(retry x1)". None elsewhere.
    retry: process.env['CI'] ? 1 : 0,
    reporters: [process.env['CI'] ? 'verbose' : 'default'],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'lcov'] },
  },
});
