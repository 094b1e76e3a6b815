/** Ends an exhaustive `switch`: a new alternative that is not handled is a compile error, and a bug if it happens. */
export function assertNever(value: never): never {
  throw new Error(`not handled: ${JSON.stringify(value)}`);
}
