import { describe, expect, test } from 'vitest';
import { acceptVersion, parseVersion } from '../../../../src/envoy/binary/version.ts';

describe('parseVersion', () => {
  test.each([
    ['\nenvoy  version: 9e5580933739775e8bce/1.40.0/Clean/RELEASE/BoringSSL\n\n', '1.40.0'],
    ['/opt/envoy  version: 0/1.41.2-dev/Modified/DEBUG/BoringSSL-FIPS\n', '1.41.2'],
    ['9e5580933739775e8bce/1.39.1/Clean/RELEASE/BoringSSL', '1.39.1'],
  ])('reads %j', (text, expected) => {
    const [major, minor, patch] = expected.split('.').map(Number);
    expect(parseVersion(text)).toEqual({ ok: true, value: { major, minor, patch } });
  });

  test.each(['', 'ls (GNU coreutils) 9.1\nmore', 'version: 1.40.0'])('refuses %j and quotes it', (text) => {
    expect(parseVersion(text)).toEqual({
      ok: false,
      errors: [expect.stringContaining(JSON.stringify(text.split('\n')[0]))],
    });
  });
});

describe('acceptVersion', () => {
  test.each([
    { major: 1, minor: 39, patch: 0 },
    { major: 1, minor: 40, patch: 7 },
    { major: 2, minor: 0, patch: 0 },
  ])('takes %o', (version) => {
    expect(acceptVersion(version)).toEqual({ ok: true, value: version });
  });

  test.each([
    { major: 1, minor: 38, patch: 9 },
    { major: 0, minor: 50, patch: 0 },
  ])('refuses %o and says why', (version) => {
    expect(acceptVersion(version)).toEqual({
      ok: false,
      errors: [expect.stringContaining('least_request_lb_count_pending_requests')],
    });
  });
});
