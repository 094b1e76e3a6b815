declare const brand: unique symbol;

/** A `T` that only its own parser can make, so that two meanings of one shape cannot be confused. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
