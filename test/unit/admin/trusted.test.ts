import { describe, expect, it } from 'vitest';
import { isTrustedRequest } from '../../../src/admin/trusted.ts';

const asks = (headers: Record<string, string>, method = 'GET') =>
  isTrustedRequest({ method, headers }, ['ops.example']);

describe('isTrustedRequest', () => {
  it.each([
    '127.0.0.1:18001',
    '10.1.2.3',
    '[::1]:18001',
    'localhost:18001',
    'LOCALHOST',
    'sluice',
    'sluice:18001',
    'sluice.ai-media.svc',
    'sluice.ai-media.svc.cluster.local:18001',
    'sluice.localhost',
    'ops.example:443',
  ])('by the name %s', (host) => {
    expect(asks({ host })).toBe(true);
    expect(asks({ host, origin: `http://${host}` }, 'POST')).toBe(true);
  });

  it('without a name, as probes of HTTP/1.0 do', () => {
    expect(asks({})).toBe(true);
  });

  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.nip.io:18001',
    'notlocalhost.com',
    'svc.evil.example',
    'xops.example',
  ])('not by %s: a stranger may have it lead here', (host) => {
    expect(asks({ host })).toBe(false);
    expect(asks({ host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' })).toBe(false);
  });

  it('not from a page of another site, and not from one that hides where it is', () => {
    const host = '127.0.0.1:18001';
    for (const method of ['GET', 'POST']) {
      expect(asks({ host, origin: 'http://evil.example' }, method)).toBe(false);
      expect(asks({ host, origin: 'http://127.0.0.1:8080' }, method)).toBe(false);
      expect(asks({ host, origin: 'null' }, method)).toBe(false);
      expect(asks({ host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, method)).toBe(false);
      expect(asks({ host, 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }, method)).toBe(false);
    }
  });

  it('from a link that is followed; a form that is sent is something else', () => {
    const link = { host: '127.0.0.1:18001', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect(asks(link)).toBe(true);
    expect(asks(link, 'POST')).toBe(false);
  });

  it('from the page itself, and from programs', () => {
    const host = 'localhost:18001';
    expect(asks({ host, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' })).toBe(true);
    expect(asks({ host, origin: 'http://localhost:18001', 'sec-fetch-site': 'same-origin' }, 'POST')).toBe(true);
    expect(asks({ host, 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' })).toBe(true);
    expect(asks({ host }, 'POST')).toBe(true);
  });
});
