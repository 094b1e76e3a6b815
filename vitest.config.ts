import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // These need a Kubernetes API server: npm run test:kube.
    exclude: ['test/kube/**'],
    globalSetup: ['test/setup.ts'],
    // Real processes on a busy machine: a test waits for a condition, and this is when it gives up.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'lcov'] },
  },
});
