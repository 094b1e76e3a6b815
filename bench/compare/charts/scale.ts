/** From a value to a place on an axis, and where its marks are. */
export interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** An even axis from 0 to `most` between two places. */
export function linear(most: number, [from, to]: readonly [number, number]): Scale {
  const step = niceStep(most / 5);
  const ticks = Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, index) => index * step);
  return { at: (value) => from + ((to - from) * value) / most, ticks };
}

/** A logarithmic axis that holds `least` and `most`, with marks at 1, 2 and 5. */
export function logarithmic([least, most]: readonly [number, number], [from, to]: readonly [number, number]): Scale {
  const low = Math.log10(least);
  const high = Math.log10(Math.max(most, least * 1.01));
  const at = (value: number) => from + ((to - from) * (Math.log10(value) - low)) / (high - low);
  const decades = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, index) => Math.floor(low) + index);
  const ticks = decades.flatMap((decade) => [1, 2, 5].map((digit) => digit * 10 ** decade));
  return { at, ticks: ticks.filter((tick) => tick >= least * 0.999 && tick <= most * 1.001) };
}

function niceStep(rough: number): number {
  const decade = 10 ** Math.floor(Math.log10(rough));
  const digit = [1, 2, 5, 10].find((candidate) => candidate * decade >= rough * 0.999) ?? 10;
  return digit * decade;
}
