import { DEFAULT_HEADER_BOUNDS, type HeaderBounds } from '../../model/header-bounds.ts';
import { map } from './map.ts';
import { bytes, whole } from './scalar.ts';
import { defaulted, type Got, need, type ReadOf } from './shape.ts';

/** `header_bounds`. The highest values are those that Envoy takes. */
export const headerBounds = map(
  {
    lines: defaulted(
      whole({ min: 1, max: 10_000, example: '1000' }),
      DEFAULT_HEADER_BOUNDS.lines,
      'Header lines of one request or of one answer.',
    ),
    size: defaulted(
      bytes({ example: '256KiB', min: 1024, max: 8192 * 1024 }),
      DEFAULT_HEADER_BOUNDS.size,
      'All headers of one request or of one answer together.',
    ),
  },
  {
    example: '{lines: 1000, size: 256KiB}',
    elsewhere: {
      count: 'write lines',
      max_headers_count: 'write lines',
      max_request_headers_kb: 'write size: 256KiB',
      kilobytes: 'write size: 256KiB',
    },
  },
);

/** As the model has it; checked before. */
export function toHeaderBounds(got: Got<ReadOf<typeof headerBounds>>): HeaderBounds {
  const { lines, size } = need(got);
  return { lines: need(lines), size: need(size) };
}
