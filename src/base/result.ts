/** A value, or every reason why there is none: expected failure is returned, never thrown. */
export type Result<T, E> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errors: readonly E[] };

/** A success that carries `value`. */
export function ok<T>(value: T): Result<T, never> {
  return { ok: true, value };
}

/** A failure that carries all its reasons (at least one). */
export function fail<E>(...errors: readonly [E, ...E[]] | readonly E[]): Result<never, E> {
  if (errors.length === 0) throw new Error('fail() needs at least one reason');
  return { ok: false, errors };
}
