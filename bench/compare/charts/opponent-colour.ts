import type { OpponentName } from '../opponents/opponent.ts';
import type { Colour } from './svg.ts';

/** Sluice and HAProxy stand out where all are in one picture. */
export function standingOut(name: OpponentName): Colour {
  return name === 'sluice' ? 'a' : name === 'haproxy' ? 'b' : 'rest';
}

const LINES: Partial<Record<OpponentName, Colour>> = {
  sluice: 'a',
  'round-robin': 'b',
  'two-choices': 'd',
  'full-scan': 'c',
};

/** Colours of lines that are drawn over each other. */
export function lineColour(name: OpponentName): Colour {
  return LINES[name] ?? 'rest';
}
