import { expect, test } from 'vitest';
import { connectionFault, silence } from '../../../src/slots/relay-faults.ts';

const REFUSED = 'No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.1:1. Resolution note: ';

test('what is wrong with the way to a coordinator is said in words that stay the same, with what to write', () => {
  expect(connectionFault(REFUSED, { isTls: false })).toEqual({
    reason: 'nobody listens there',
    fix: 'start it, or mend the way to it; its address is what --coordinator says',
  });
  const [one, other] = ['2026-12-01T00:33:42.171Z', '2026-12-01T00:33:43.171Z'].map((at) =>
    connectionFault(`some words of a library (${at})`, { isTls: true }),
  );
  expect([one, one?.reason]).toEqual([other, 'some words of a library']);
  expect(silence({}).fix).toContain('--coordinator');
});

test('where a Lease names the coordinator nobody is told to write --coordinator', () => {
  const lease = { isTls: true, isByLease: true };
  for (const fault of [
    connectionFault(REFUSED, lease),
    connectionFault('unable to verify the first certificate', lease),
    connectionFault('Failed to connect', lease),
    silence(lease),
  ]) {
    expect(fault.fix).toMatch(/the Pod that holds the Lease .* --peers/);
    expect(fault.fix).not.toContain('--coordinator');
  }
});
