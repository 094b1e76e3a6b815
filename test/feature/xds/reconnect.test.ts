import { expect, test } from 'vitest';
import { ackDelta, SHORT, useWorld, World } from './world.ts';

const CLIENTS = 1000;
const CONNECTIONS = 20;
const NAMES = Array.from({ length: 50 }, (_, index) => `service-${index}`);
const contentsOf = (changed: string) =>
  Object.fromEntries(NAMES.map((name) => [name, name === changed ? 'changed' : `content of ${name}`]));

const world = useWorld();

/** What a client holds once it was served everything: name to version. */
async function versions(from: World): Promise<Record<string, string>> {
  const stream = from.client().delta();
  stream.send({ node: { id: 'first' }, typeUrl: SHORT.cds });
  const response = await stream.next();
  ackDelta(stream, response);
  return Object.fromEntries(response.resources.map(({ name, version }) => [name, version]));
}

test('1,000 clients that return after a restart get only what has changed, all of them', async () => {
  const before = new World();
  await before.start();
  before.publish({ cds: contentsOf('none') });
  const held = await versions(before);
  await before.stop();
  expect(Object.keys(held)).toHaveLength(NAMES.length);

  // Another server, which has made its resources anew: the same have the same versions.
  world().publish({ cds: contentsOf('service-7') });
  const connections = Array.from({ length: CONNECTIONS }, () => world().client());
  const streams = Array.from({ length: CLIENTS }, (_, index) => {
    const stream = connections[index % CONNECTIONS]?.delta();
    if (stream === undefined) throw new Error('no connection');
    stream.send({ node: { id: `envoy-${index}` }, typeUrl: SHORT.cds, initialResourceVersions: held });
    return stream;
  });
  const responses = await Promise.all(streams.map((stream) => stream.next()));
  const got = new Set(responses.map(({ resources }) => resources.map(({ name }) => name).join()));
  expect([...got]).toEqual(['service-7']);
  expect(responses.flatMap(({ removedResources }) => removedResources)).toEqual([]);

  // Each of them exactly once: nobody is served twice, and nobody is left out.
  const served = world().events.flatMap((event) => (event.kind === 'sent' ? [event.node.id] : []));
  expect(new Set(served).size).toBe(CLIENTS);
  expect(served).toHaveLength(CLIENTS);
});

test('1,000 at once are served in the order in which they came, also beside one that asks without a pause', async () => {
  world().publish({ cds: contentsOf('none'), eds: { wanted: 'E' } });
  const greedy = world().client().delta();
  let asking = true;
  const asks = async () => {
    while (asking) {
      greedy.send({ node: { id: 'greedy' }, typeUrl: SHORT.eds, resourceNamesSubscribe: ['wanted'] });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  const ended = asks();
  await greedy.next();
  const connections = Array.from({ length: CONNECTIONS }, () => world().client());
  const streams = Array.from({ length: CLIENTS }, (_, index) => {
    const stream = connections[index % CONNECTIONS]?.delta();
    if (stream === undefined) throw new Error('no connection');
    stream.send({ node: { id: `envoy-${index}` }, typeUrl: SHORT.cds });
    return stream;
  });
  await Promise.all(streams.map((stream) => stream.next()));
  asking = false;
  await ended;

  const { events } = world();
  const others = (kind: 'connected' | 'sent') =>
    events.flatMap((event) => (event.kind === kind && event.node.id !== 'greedy' ? [event.node.id] : []));
  expect(others('sent')).toEqual(others('connected'));
  // Whoever waits when the greedy one is answered is served before it is answered again.
  const waiting = new Set<string>();
  let passedOver: ReadonlySet<string> = new Set();
  for (const { kind, node } of events) {
    if (node.id !== 'greedy') {
      if (kind === 'connected') waiting.add(node.id);
      else if (kind === 'sent') waiting.delete(node.id);
    } else if (kind === 'sent') {
      expect([...waiting].filter((id) => passedOver.has(id))).toEqual([]);
      passedOver = new Set(waiting);
    }
  }
});

test('a client that returns with everything as it is gets nothing of it', async () => {
  world().publish({ cds: contentsOf('none') });
  const held = await versions(world());
  const stream = world().client().delta();
  stream.send({ node: { id: 'again' }, typeUrl: SHORT.cds, initialResourceVersions: held });
  const response = await stream.next();
  expect([response.resources, response.removedResources]).toEqual([[], []]);
});
