/** How much of headers Envoy takes, from clients and from pods. */
export interface HeaderBounds {
  /** Lines. */
  readonly lines: number;
  /** Bytes of all of them together, whole KiB. */
  readonly size: number;
}

/** What servers of all kinds take is far below this. */
export const DEFAULT_HEADER_BOUNDS: HeaderBounds = { lines: 1000, size: 256 * 1024 };
