import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { objectsOf } from '../ingress/world.ts';
import { translatedIstio } from './world.ts';

it('the example of the documentation is what it says it is', () => {
  const text = readFileSync(new URL('../../../../docs/istio.md', import.meta.url), 'utf8');
  const [, block = ''] = /^```yaml\n(.*?)^```$/ms.exec(text) ?? [];
  const { part, told } = translatedIstio(objectsOf(block.replaceAll(/^metadata:$/gm, 'metadata:\n  namespace: ai')));
  expect(told).toEqual([]);
  expect(part.services).toMatchObject([{ discipline: { limit: 4, queue: { timeout: 600_000 } } }]);
  expect(part.routes).toMatchObject([{ match: { path: { prefix: '/v1/' } }, backends: [{ service: 'ai/llm/8000' }] }]);
});
