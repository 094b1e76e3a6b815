import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { conditionsOf, objectsOf, translated } from './world.ts';

const CLASS = 'kind: GatewayClass\nmetadata: {name: sluice}\nspec: {controllerName: sluice.dev/gateway-controller}\n';

/** As the API server would have them: in a namespace. */
function blocks(): readonly string[] {
  const text = readFileSync(new URL('../../../../docs/gateway-api.md', import.meta.url), 'utf8');
  const found = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = '']) => block);
  return found.map((block) => block.replaceAll(/^metadata:$/gm, 'metadata:\n  namespace: default'));
}

it('the examples of the documentation are what it says they are', () => {
  const [service = '', policy = ''] = blocks();
  const annotated = translated(objectsOf(CLASS, service));
  expect(annotated.part.problems).toEqual([]);
  expect(annotated.part.services).toMatchObject([
    { timeout: { request: 10_800_000 }, discipline: { limit: 2, queue: { max: 1000, timeout: 1_800_000 } } },
  ]);
  expect(annotated.part.routes).toMatchObject([{ match: { path: { prefix: '/codec' } } }]);
  expect(conditionsOf(annotated, 'HTTPRoute default/video-codec', 'parents.0.conditions')).toEqual([
    'Accepted=True Accepted',
    'ResolvedRefs=True ResolvedRefs',
  ]);
  const others = service.replaceAll(/^ {4}sluice\.dev.*\n/gm, '').replace('  annotations:\n', '');
  const audio = 'kind: Service\nmetadata: {namespace: default, name: audio-codec}\nspec: {ports: [{port: 80}]}\n';
  const told = translated(objectsOf(CLASS, others, audio, policy));
  expect(told.part.services).toMatchObject([{ discipline: { limit: 2 }, outlier: { consecutive5xx: 5 } }]);
  expect(conditionsOf(told, 'SlotPolicy default/media')).toEqual(['Accepted=True Accepted']);
});
