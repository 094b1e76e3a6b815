import { expect, test } from 'vitest';
import { millis } from '../../../src/base/duration.ts';
import { NOT_SHARED, type SharingState } from '../../../src/slots/sharing.ts';
import { describeStatus } from '../../../src/status/describe.ts';
import { formatStatus } from '../../../src/status/format.ts';
import { formatService } from '../../../src/status/format-service.ts';
import { gauges } from '../../../src/status/gauges.ts';
import { exampleInput, NOW } from './example.ts';

const SHARED: SharingState = {
  ...NOT_SHARED,
  term: 7,
  members: [
    { node: 'edge-1', epoch: '1', awaySince: undefined, isKnown: true, via: undefined },
    { node: 'edge-2', epoch: '2', awaySince: NOW - 60_000, isKnown: true, via: 'sluice-2' },
    { node: 'edge-3', epoch: '3', awaySince: undefined, isKnown: false, via: undefined },
  ],
  held: (service) =>
    service === 'codec'
      ? new Map([
          ['edge-2', 1],
          ['edge-1', 3],
        ])
      : new Map(),
  missing: (service) => (service === 'codec' ? 1 : 0),
};

test('who shares slots, who holds how many, and what is missing are told', () => {
  const status = describeStatus(exampleInput({ sharing: SHARED }));
  expect(status.sharing).toEqual({
    term: 7,
    members: [
      { node: 'edge-1', state: 'connected' },
      { node: 'edge-2', state: 'away', since: new Date(NOW - 60_000).toISOString(), via: 'sluice-2' },
      { node: 'edge-3', state: 'joining' },
    ],
  });
  const codec = status.services.find(({ name }) => name === 'codec');
  expect(codec).toMatchObject({
    shared: {
      held: [
        { node: 'edge-1', slots: 3 },
        { node: 'edge-2', slots: 1 },
      ],
      missing: 1,
      why: ['edge-2 holds 1, and is away', 'edge-3 has not said yet what it holds'],
    },
  });
  const text = codec && formatService(status, codec, (_, part) => part);
  expect(text).toContain(
    'held by       edge-1 3, edge-2 1; 1 missing: edge-2 holds 1, and is away, edge-3 has not said yet what it holds\n',
  );
  const metrics = gauges(status);
  for (const line of [
    'sluice_slots_held{service="codec",node="edge-1"} 3',
    'sluice_slots_missing{service="codec"} 1',
    'sluice_members{state="away"} 1',
    'sluice_coordinator_term 7',
  ])
    expect(metrics).toContain(`${line}\n`);
});

test('the overview has each member, with the Sluice that it came by, and what becomes of its slots', () => {
  const options = { paint: (_: unknown, part: string) => part, sort: 'name' } as const;
  const of = (sharing: SharingState) => formatStatus(describeStatus(exampleInput({ sharing })), options);
  const text = of({ ...SHARED, reclaimMs: millis(60_000) });
  expect(text).toMatch(
    /^slots {11}shared by 3 queue filters, 1 away, some by sluice-2; this Sluice coordinates, term 7; 1m after it is away others get its slots, whether it runs or not$/m,
  );
  expect(text).toMatch(/^SHARES SLOTS +STATE +BY$/m);
  expect(text).toMatch(/^edge-1 +connected +this Sluice$/m);
  expect(text).toMatch(/^edge-2 +away for 1m +sluice-2$/m);
  expect(text).toMatch(/^edge-3 +joining +this Sluice$/m);
  expect(of(SHARED)).toMatch(/; this Sluice coordinates, term 7$/m);
  expect(of(NOT_SHARED)).not.toContain('SHARES SLOTS');
});

test('a Sluice that follows another one tells whom, since when, and which of its filters the other one knows', () => {
  const member = { epoch: '1', awaySince: undefined, via: undefined };
  const members = [
    { ...member, node: 'edge-1', isKnown: true },
    { ...member, node: 'edge-2', isKnown: false },
  ];
  const follows = { address: 'sluice-1:18000', name: undefined, isConnected: false, since: NOW - 60_000 };
  const status = describeStatus(exampleInput({ sharing: { ...NOT_SHARED, members, follows } }));
  const since = new Date(NOW - 60_000).toISOString();
  expect(status.follows).toEqual({
    coordinator: 'sluice-1:18000',
    state: 'away',
    since,
    members: [
      { node: 'edge-1', state: 'connected' },
      { node: 'edge-2', state: 'joining' },
    ],
  });
  expect(gauges(status)).toContain('sluice_coordinator_connected 0\n');
  const options = { paint: (_: unknown, part: string) => part, sort: 'name' } as const;
  expect(formatStatus(status, options)).toContain('slots           shared; follows sluice-1:18000, away for 1m\n');
  const there = describeStatus(
    exampleInput({ sharing: { ...NOT_SHARED, follows: { ...follows, name: 'edge-host:18000', isConnected: true } } }),
  );
  expect(gauges(there)).toContain('sluice_coordinator_connected 1\n');
  expect(formatStatus(there, options)).toContain('follows sluice-1:18000 (edge-host:18000), connected for 1m\n');
  const unknown = describeStatus(exampleInput({ sharing: { ...NOT_SHARED, follows: 'nobody known' } }));
  expect(unknown.follows).toEqual({ state: 'away', members: [] });
});

test('while one Envoy has all slots nothing of that is told', () => {
  const status = describeStatus(exampleInput({}));
  expect(status).not.toHaveProperty('sharing');
  expect(status.services.filter((service) => 'shared' in service)).toEqual([]);
  for (const name of ['sluice_slots_held', 'sluice_slots_missing', 'sluice_members', 'sluice_coordinator_connected'])
    expect(gauges(status)).not.toContain(`${name}{`);
});

test('a Sluice that follows shows who holds the slots as the coordinator has told, and does not count them once more', () => {
  const held = [
    { node: 'edge-1', slots: 1 },
    { node: 'edge-2', slots: 2 },
  ];
  const told = { held, missing: 1, why: ['edge-3 holds 1, and is away'], oldSince: NOW - 60_000 };
  const follows = { address: 'sluice-1:18000', name: undefined, isConnected: false, since: NOW - 60_000 };
  const status = describeStatus(exampleInput({ sharing: { ...NOT_SHARED, follows, told: () => told } }));
  const codec = status.services.find(({ name }) => name === 'codec');
  if (codec?.kind !== 'limited') throw new Error('the example has it');
  const oldSince = new Date(NOW - 60_000).toISOString();
  expect(codec.shared).toEqual({ held, missing: 1, why: told.why, isTold: true, oldSince });
  expect(formatService(status, codec, (_, part) => part)).toContain(
    `held by       edge-1 1, edge-2 2; 1 missing: edge-3 holds 1, and is away (as it was when the coordinator was there last, ${oldSince})\n`,
  );
  expect(gauges(status)).not.toContain('sluice_slots_held{');
  expect(gauges(status)).not.toContain('sluice_slots_missing{');
});
