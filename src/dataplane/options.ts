/** The queue filter as Envoy gets it. */
export type FilterOptions =
  | {
      readonly kind: 'wasm';
      /** The code itself: `gen/queue.wasm`. */
      readonly code: Uint8Array;
      /** A hash of it. */
      readonly version: string;
      /** The code of its guard: `gen/guard.wasm`. */
      readonly guard: Uint8Array;
      /** A request may end the VM by a header: for tests alone. */
      readonly allowTrap?: boolean;
    }
  /** An Envoy without Wasm: each pod of a limited service has a queue of its own, held by Envoy's circuit breakers. */
  | { readonly kind: 'off' };

/** What the translation needs to know besides the model. */
export interface TranslateOptions {
  readonly filter: FilterOptions;
}
