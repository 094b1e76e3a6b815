import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { objectsOf, secretFor, translated } from './world.ts';

it('the example of the documentation is what it says it is', () => {
  const text = readFileSync(new URL('../../../../docs/ingress.md', import.meta.url), 'utf8');
  const [, block = ''] = /^```yaml\n(.*?)^```$/ms.exec(text) ?? [];
  const inNamespace = block.replaceAll(/^metadata:$/gm, 'metadata:\n  namespace: shop');
  const { part, told } = translated(objectsOf(inNamespace, secretFor('video-tls', ['video.example'])));
  expect(told).toEqual([]);
  expect(part.services).toMatchObject([{ discipline: { limit: 2, queue: { max: 1000, timeout: 1_800_000 } } }]);
  expect(part.routes.map(({ kind, listeners }) => `${kind} ${listeners.join(' ')}`)).toEqual([
    'forward ingress/https',
    'redirect ingress/http',
  ]);
});
