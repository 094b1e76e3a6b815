import { describe, expect, test } from 'vitest';
import { PASS } from './faulty-relay.ts';
import { dnsmasq, follow, NAME, startRelay, startServer, title } from './follow.ts';

describe.skipIf(dnsmasq === undefined)(title('DNS servers that fail'), { timeout: 60_000 }, () => {
  test('a server that is stopped, frozen or failing: the pods stay, and afterwards the truth is there', async () => {
    const server = await startServer({ hosts: { [NAME]: ['10.0.0.1'] } });
    const { becomes, seen, state } = follow({ servers: [server.address] });
    await becomes('ready 10.0.0.1');

    await server.stop();
    await becomes('stale 10.0.0.1');
    expect(state().problems[0]?.message).toMatch(/could be reached|in time/);
    await server.write({ [NAME]: ['10.0.0.2'] });
    await server.restart();
    await becomes('ready 10.0.0.2');

    server.freeze();
    await becomes('stale 10.0.0.2');
    expect(state().problems[0]?.message).toContain('in time');
    await server.write({ [NAME]: ['10.0.0.3'] });
    server.thaw();
    await server.set({ [NAME]: ['10.0.0.3'] });
    await becomes('ready 10.0.0.3');

    // It answers for no domain any more, and has nobody to ask: REFUSED.
    await server.write({});
    await server.restart(['--local=/elsewhere/']);
    await becomes('stale 10.0.0.3');
    expect(state().problems[0]?.message).toContain('REFUSED');
    expect(seen).not.toContain('ready');
    expect(seen.every((text) => text !== 'pending')).toBe(true);
  });

  test('SERVFAIL keeps the pods; in AAAA alone it does not keep IPv4 pods from being followed', async () => {
    const server = await startServer({ hosts: { [NAME]: ['10.0.0.1', 'fd00::1'] } });
    const relay = await startRelay(server);
    const { becomes, state } = follow({ servers: [relay.address] });
    await becomes('ready 10.0.0.1 fd00::1');
    relay.fate = () => ({ kind: 'servfail' });
    await becomes('stale 10.0.0.1 fd00::1');
    expect(state().problems[0]?.message).toContain('SERVFAIL');
    relay.fate = (type) => (type === 'AAAA' ? { kind: 'servfail' } : PASS);
    await server.set({ [NAME]: ['10.0.0.2'] });
    await becomes('stale 10.0.0.2 fd00::1');
    relay.fate = () => PASS;
    await becomes('ready 10.0.0.2');
  });

  test('a slow server is waited for, a lost question is asked again', async () => {
    const server = await startServer({ hosts: { [NAME]: ['10.0.0.1'] } });
    const relay = await startRelay(server);
    relay.fate = () => ({ kind: 'pass', server: 0, delayMs: 300 });
    const { becomes } = follow({ servers: [relay.address], timeoutMs: 1000 });
    await becomes('ready 10.0.0.1');
    let questions = 0;
    relay.fate = () => (questions++ % 4 < 2 ? { kind: 'silence' } : PASS);
    await server.set({ [NAME]: ['10.0.0.2'] });
    await becomes('ready 10.0.0.2');
  });

  test('one of two servers is enough, whichever it is', async () => {
    const one = await startServer({ hosts: { [NAME]: ['10.0.0.1'] } });
    const other = await startServer({ hosts: { [NAME]: ['10.0.0.1'] } });
    const { becomes, seen } = follow({ servers: [one.address, other.address] });
    await becomes('ready 10.0.0.1');
    await one.stop();
    await other.set({ [NAME]: ['10.0.0.2'] });
    await becomes('ready 10.0.0.2');
    await one.write({ [NAME]: ['10.0.0.2'] });
    await one.restart();
    other.freeze();
    await one.set({ [NAME]: ['10.0.0.3'] });
    await becomes('ready 10.0.0.3');
    expect(seen).toEqual(['ready 10.0.0.1', 'ready 10.0.0.2', 'ready 10.0.0.3']);
  });

  test('two servers that disagree move nothing, and that is told', async () => {
    const one = await startServer({ hosts: { [NAME]: ['10.0.0.1'] } });
    const other = await startServer({ hosts: { [NAME]: ['10.0.0.2'] } });
    const relay = await startRelay(one, other);
    const { becomes, state, seen } = follow({ servers: [relay.address] });
    await becomes('ready 10.0.0.1');
    let turn = 0;
    relay.fate = (type) => ({ kind: 'pass', delayMs: 0, server: type === 'A' ? turn++ % 2 : 0 });
    await becomes('stale 10.0.0.1');
    expect(state().problems[0]?.message).toContain('keep changing');
    relay.fate = () => ({ kind: 'pass', delayMs: 0, server: 1 });
    await becomes('ready 10.0.0.2');
    expect(seen).toEqual(['ready 10.0.0.1', 'stale 10.0.0.1', 'ready 10.0.0.2']);
  });
});
