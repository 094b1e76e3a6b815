import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { renderBootstrap, type XdsAddress } from '../../src/envoy/bootstrap.ts';

const folder = fileURLToPath(new URL('../../envoy/', import.meta.url));
const admin = { host: '127.0.0.1', port: 9901 };

/** The bootstraps in envoy/, for whoever runs an Envoy by hand: what `sluice bootstrap` prints. */
const BOOTSTRAPS: Readonly<Record<string, XdsAddress>> = {
  'bootstrap.yaml': { kind: 'tcp', host: '127.0.0.1', port: 18_000 },
  'bootstrap-unix.yaml': { kind: 'unix', path: '/run/sluice/xds.sock' },
};

test.each(Object.entries(BOOTSTRAPS))('envoy/%s is what the code makes (update: npm run test:golden)', (file, xds) => {
  const text = renderBootstrap({ nodeId: 'envoy', nodeCluster: 'sluice', xds, admin }, file);
  if (process.env['SLUICE_GOLDEN'] === 'write') {
    mkdirSync(folder, { recursive: true });
    writeFileSync(folder + file, text);
  }
  expect(text).toBe(readFileSync(folder + file, 'utf8'));
});
