import { type Millis, millis } from '../../base/duration.ts';

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** A duration of the Gateway API (GEP-2257): `1h30m`, `500ms`, `0s`. Undefined: it is none. */
export function parseGatewayDuration(text: string): Millis | undefined {
  if (!/^(?:\d{1,5}(?:h|m|s|ms)){1,4}$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+)(ms|h|m|s)/g);
  return millis([...parts].reduce((sum, [, number, unit = '']) => sum + Number(number) * (UNITS[unit] ?? 0), 0));
}
