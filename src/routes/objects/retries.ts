/** What is told of retries that an object or a file asks for by this key: Sluice has its own. */
export function retriesText(key: string): string {
  return `${key}: a request that no pod has seen goes to another pod by itself, one that a pod has seen never`;
}

/** What to do instead. */
export const RETRIES_FIX = 'let clients repeat what may be repeated';
