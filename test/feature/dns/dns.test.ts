import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { DOMAIN } from './dns-server.ts';
import { atEnd, dnsmasq, follow, NAME, startServer, title, waitFor } from './follow.ts';

describe.skipIf(dnsmasq === undefined)(title('DNS'), { timeout: 60_000 }, () => {
  test('growth, shrinking and replacement are followed; a TTL of an hour is not waited for', async () => {
    const server = await startServer({ hosts: { [NAME]: ['10.0.0.1'] } });
    const { becomes, seen } = follow({ servers: [server.address] });
    await becomes('ready 10.0.0.1');
    await server.set({ [NAME]: ['10.0.0.3', '10.0.0.1', '10.0.0.2'] });
    await becomes('ready 10.0.0.1 10.0.0.2 10.0.0.3');
    await server.set({ [NAME]: ['10.0.0.2'] });
    await becomes('ready 10.0.0.2');
    await server.set({ [NAME]: ['10.0.0.9'] });
    await becomes('ready 10.0.0.9');
    expect(seen).toEqual(['ready 10.0.0.1', 'ready 10.0.0.1 10.0.0.2 10.0.0.3', 'ready 10.0.0.2', 'ready 10.0.0.9']);
  });

  test('with the default pace a change is there 2 s after it was seen, not sooner', async () => {
    const server = await startServer({ hosts: { [NAME]: ['10.0.0.1'] } });
    const pace = { pollMs: 2000, confirmMs: 500 };
    const { becomes } = follow({ servers: [server.address], ...pace });
    await becomes('ready 10.0.0.1');
    await server.set({ [NAME]: ['10.0.0.2'] });
    const start = performance.now();
    await becomes('ready 10.0.0.2');
    expect(performance.now() - start).toBeGreaterThan(1950);
  });

  test('answers that do not last change nothing', async () => {
    const server = await startServer({ hosts: { [NAME]: ['10.0.0.1', '10.0.0.2'] } });
    // So many that the moment below is surely shorter.
    const { becomes, seen } = follow({ servers: [server.address], confirm: 200 });
    await becomes('ready 10.0.0.1 10.0.0.2');
    await server.set({ [NAME]: ['10.0.0.1'] });
    await sleep(700);
    await server.set({ [NAME]: ['10.0.0.1', '10.0.0.2'] });
    await sleep(1000);
    expect(seen).toEqual(['ready 10.0.0.1 10.0.0.2']);
  });

  test('IPv4 and IPv6, IPv6 alone, and CNAMEs', async () => {
    const server = await startServer({
      hosts: { [NAME]: ['10.0.0.1', 'fd00::1'], [`six.${DOMAIN}`]: ['fd00::2'] },
      args: ['--local=/test/', `--cname=alias.${DOMAIN},${NAME}`],
    });
    const servers = [server.address];
    await follow({ servers }).becomes('ready 10.0.0.1 fd00::1');
    await follow({ servers }, `six.${DOMAIN}`).becomes('ready fd00::2');
    await follow({ servers }, `alias.${DOMAIN}`).becomes('ready 10.0.0.1 fd00::1');
  });

  test('200 pods, far more than a UDP answer holds; their order does not matter', async () => {
    const ips = Array.from({ length: 200 }, (_, index) => `10.1.${index % 4}.${index}`);
    // dnsmasq rotates the order of its answers from one to the next.
    const server = await startServer({ hosts: { [NAME]: ips }, args: ['--local=/test/', '--edns-packet-max=512'] });
    const { becomes, seen } = follow({ servers: [server.address] });
    const all = `ready ${[...ips].sort().join(' ')}`;
    await becomes(all);
    await sleep(1500);
    expect(seen).toEqual([all]);
  });

  test('a name that goes away has no pods after five answers, and some again when it comes back', async () => {
    const server = await startServer({ hosts: { [NAME]: ['10.0.0.1'] } });
    const { becomes, seen, state } = follow({ servers: [server.address] });
    await becomes('ready 10.0.0.1');
    await server.set({});
    await becomes('ready');
    expect(state().problems).toEqual([expect.objectContaining({ severity: 'warning', subject: `dns ${NAME}` })]);
    await server.set({ [NAME]: ['10.0.0.2'] });
    await becomes('ready 10.0.0.2');
    expect(seen).toEqual(['ready 10.0.0.1', 'ready', 'ready 10.0.0.2']);
  });

  test('a name that keeps only another type of record keeps its pods', async () => {
    const text = `--txt-record=${NAME},text`;
    const server = await startServer({ hosts: { [NAME]: ['10.0.0.1'] }, args: ['--local=/test/', text] });
    const { becomes, state } = follow({ servers: [server.address] });
    await becomes('ready 10.0.0.1');
    await server.set({});
    await becomes('stale 10.0.0.1');
    expect(state().problems[0]?.message).toContain('has no address');
    await sleep(1500);
    await becomes('stale 10.0.0.1');
  });

  test('resolv.conf is read anew for every question', async () => {
    const one = await startServer({ hosts: { 'codec.a.test': ['10.0.0.1'] } });
    const other = await startServer({ hosts: { 'codec.b.test': ['10.0.0.2'] } });
    const folder = await mkdtemp(join(tmpdir(), 'sluice-resolv-'));
    atEnd(() => rm(folder, { recursive: true }));
    const resolvConf = join(folder, 'resolv.conf');
    const { state, becomes } = follow({ resolvConf }, 'codec');
    await waitFor(() => state().problems.length > 0);
    expect(state()).toMatchObject({ kind: 'pending', problems: [{ severity: 'error' }] });
    expect(state().problems[0]?.message).toContain(resolvConf);
    await writeFile(resolvConf, `nameserver ${one.address}\nsearch a.test\n`);
    await becomes('ready 10.0.0.1');
    await writeFile(resolvConf, `nameserver ${other.address}\nsearch b.test\n`);
    await becomes('ready 10.0.0.2');
  });

  test('search domains are tried in order; the name that answered stays the one', async () => {
    const server = await startServer({ hosts: { 'codec.b.test': ['10.0.0.1'] } });
    // With the first one the name would be longer than names may be.
    const search = [`${'long.'.repeat(50)}test`, 'a.test', 'b.test', 'c.test'];
    const { becomes, seen } = follow({ servers: [server.address], search, ndots: 5 }, 'codec');
    await becomes('ready 10.0.0.1');
    await server.set({ 'codec.a.test': ['10.0.0.7'], 'codec.b.test': ['10.0.0.1'] });
    await sleep(1500);
    expect(seen).toEqual(['ready 10.0.0.1']);
    await server.set({ 'codec.a.test': ['10.0.0.7'] });
    await becomes('ready 10.0.0.7');
  });
});
