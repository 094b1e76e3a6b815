import type { Response } from './type-state.ts';

/**
 * How much is kept, in bytes, beside the newest: what is being sent now, to whoever is not far behind. Each keeps its
 * resources alive as well, which are some three times its size.
 */
const MOST_BYTES = 2 * 1024 * 1024;

interface Encoded {
  readonly response: Response;
  readonly bytes: Buffer;
}

/**
 * Encodes equal responses once. A thousand clients that get the same resources in the same order get the same nonces,
 * as every stream counts its own, and so the very same bytes.
 */
export class SharedBytes {
  readonly #encode: (response: Response) => Buffer;
  readonly #recent = new Map<string, Encoded>();
  #size = 0;

  constructor(encode: (response: Response) => Buffer) {
    this.#encode = encode;
  }

  /** The bytes of `response`; nobody may write to them. */
  of(response: Response): Buffer {
    const key = `${response.nonce} ${response.version} ${response.typeUrl}`;
    const known = this.#recent.get(key);
    if (known !== undefined && sameContent(known.response, response)) return known.bytes;
    const bytes = this.#encode(response);
    this.#forget(key);
    this.#recent.set(key, { response, bytes });
    this.#size += bytes.length;
    for (const oldest of this.#recent.keys()) {
      if (this.#size <= MOST_BYTES || oldest === key) break;
      this.#forget(oldest);
    }
    return bytes;
  }

  #forget(key: string): void {
    this.#size -= this.#recent.get(key)?.bytes.length ?? 0;
    this.#recent.delete(key);
  }
}

function sameContent(a: Response, b: Response): boolean {
  return sameItems(a.resources, b.resources) && sameItems(a.removed, b.removed);
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
