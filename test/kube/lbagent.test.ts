import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { http1Client } from '../e2e/kit/client-http1.ts';
import { until } from '../e2e/kit/instant.ts';
import { load } from '../e2e/kit/load.ts';
import { burst } from '../e2e/kit/load-plan.ts';
import { Pods } from '../e2e/kit/pods.ts';
import { freePort } from '../e2e/kit/ports.ts';
import { fixed } from '../e2e/kit/random.ts';
import { SluiceProcess } from '../e2e/kit/sluice-process.ts';
import { overLimit } from '../e2e/kit/verdict.ts';
import { TestCluster } from './kit/cluster.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

const CONFIG = fileURLToPath(new URL('./lbagent/config.yaml', import.meta.url));
const SERVICE = 'yt-server-video-codec';
const PATH = '/VideoCodecService/VideoCodec';
/** Where the config's author has a kubeconfig, and nobody who runs these tests. */
const THEIR_KUBECONFIG = '/root/kube/config';

describe.skipIf(WHY_NOT !== undefined)(named("lbagent's config.yaml"), () => {
  test('as its README has it, unchanged, with `sluice run` and $KUBECONFIG', async () => {
    expect(existsSync(THEIR_KUBECONFIG), `${THEIR_KUBECONFIG} would be used`).toBe(false);
    const cluster = new TestCluster(inject('kubeCluster'));
    const space = await TestNamespace.make(cluster, 'ai-media');
    await space.addService(SERVICE, [{ name: 'http', port: 20109 }]);
    const pods = await Pods.start({ count: 3, network: '10.244.41', port: 20109 });
    onTestFinished(() => pods.stop());
    const [one, two, three] = pods.addresses.map((address) => address.split(':')[0] ?? '');
    const addPod = (name: string, ip = '') => space.addPod(name, { app: SERVICE, ips: [ip] });
    await addPod('one', one);
    await addPod('two', two);

    const ports = ['--admin', '127.0.0.1:0', '--envoy-admin-port', String(await freePort())];
    const env = { KUBECONFIG: cluster.kubeconfig() };
    const sluice = new SluiceProcess(['run', '--routes', CONFIG, ...ports], env);
    onTestFinished(async () => {
      await sluice.end();
    });
    await sluice.logged('Envoy takes requests', ({ msg }) => msg === 'Envoy takes requests');
    const said = sluice.log.map(({ msg }) => msg);
    expect(said.filter((line) => line.includes('kube_config_file'))).toEqual([
      `kube_config_file: there is no file ${THEIR_KUBECONFIG}; $KUBECONFIG (${env.KUBECONFIG}) is used instead; leave the key empty to say so`,
    ]);

    const client = http1Client({ port: 8080, path: PATH });
    onTestFinished(() => client.close());
    const results = await load(client, burst(20, { work: fixed(100), each: { body: Buffer.from('{}') } }));
    expect(results.filter(({ status }) => status !== 200)).toEqual([]);
    const seen = await pods.requests();
    expect(overLimit(seen, 2)).toMatchObject({ times: 0, peak: 2 });
    expect(new Set(seen.map(({ pod }) => pod))).toEqual(new Set([`${one}:20109`, `${two}:20109`]));

    // The path reaches the pod as it was sent, a query with it; other paths lead nowhere.
    const paths = [`${PATH}?task=7&x=%20y`, '/VideoCodecService', `${PATH}/more`];
    const answers = await load(
      client,
      burst(3, { name: 'path' }).map((request, index) => ({ ...request, path: paths[index] ?? '' })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 404]);
    expect(JSON.parse(answers[0]?.body ?? '')).toMatchObject({ url: paths[0] });

    await addPod('three', three);
    const another = async (turn: number) => {
      await load(client, burst(6, { name: `turn-${turn}-`, work: fixed(50) }));
      return (await pods.requests()).some(({ pod }) => pod === `${three}:20109`);
    };
    let turn = 0;
    await until(() => another(turn++), { what: 'the third pod to get a request' });
    expect(await pods.peak()).toBe(2);
  });
});
