/** What the translation needs to know besides the model. */
export interface TranslateOptions {
  /** The loopback port where Envoy takes kicks. */
  readonly kickPort: number;
}
