import { expect, test } from 'vitest';
import { formatAddress } from '../../../src/model/locator.ts';
import { type HoldBackInput, holdBack, NOBODY } from '../../../src/slots/hold-back.ts';
import { pod } from './services.ts';

const NOW = 1_000_000;

/** What comes of pods that were published, and pods the source has now. */
function hold(input: Pick<HoldBackInput, 'published' | 'present'> & Partial<HoldBackInput>) {
  const { pods, held } = holdBack({ before: NOBODY, raising: false, now: NOW, ...input });
  return { pods, held: [...held.keys()] };
}

test('a pod that leaves while another comes stays ready until that one is there', () => {
  const published = [pod(1), pod(2)];
  for (const present of [
    [pod(1, 'draining'), pod(2), pod(3)],
    [pod(2), pod(3)],
  ]) {
    const first = hold({ published, present });
    expect(first).toEqual({ pods: [pod(1), pod(2), pod(3)], held: [formatAddress(pod(1))] });
    // By then nobody comes any more.
    const before = new Map([[formatAddress(pod(1)), NOW - 50]]);
    expect(hold({ published: first.pods, present, before })).toEqual({ pods: present, held: [] });
  }
});

test('while more come it stays, but not for long', () => {
  const present = [pod(3), pod(4)];
  const published = [pod(1), pod(2), pod(3)];
  const one = formatAddress(pod(1));
  const young = holdBack({ published, present, before: new Map([[one, NOW - 250]]), raising: false, now: NOW });
  expect(young.pods).toEqual([pod(1), pod(2), pod(3), pod(4)]);
  expect([...young.held.values()]).toEqual([NOW - 250, NOW]);
  const old = hold({ published, present, before: new Map([[one, NOW - 350]]) });
  expect(old).toEqual({ pods: [pod(2), pod(3), pod(4)], held: [formatAddress(pod(2))] });
});

test('without one that comes they leave at once, unless one has just come', () => {
  const published = [pod(1), pod(2)];
  const present = [pod(1, 'draining'), pod(2)];
  expect(hold({ published, present })).toEqual({ pods: present, held: [] });
  expect(hold({ published, present, raising: true })).toEqual({ pods: published, held: [formatAddress(pod(1))] });
});

test('pods that drain already, or only come, concern nobody', () => {
  const draining = [pod(1, 'draining'), pod(2)];
  expect(hold({ published: draining, present: [pod(2), pod(3)] })).toEqual({ pods: [pod(2), pod(3)], held: [] });
  expect(hold({ published: [pod(2)], present: [pod(2), pod(3)] })).toEqual({ pods: [pod(2), pod(3)], held: [] });
  const same = [pod(1)];
  expect(holdBack({ published: same, present: same, before: NOBODY, raising: true, now: NOW }).pods).toBe(same);
});
