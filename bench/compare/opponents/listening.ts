import { until } from '../../../test/e2e/kit/instant.ts';
import { isListening } from '../../../test/e2e/kit/ports.ts';

/** Waits until something listens on this port of `host`. Throws with what `said` gives when it does not within 20 s. */
export async function listening(port: number, said: () => string, host = '127.0.0.1'): Promise<void> {
  await until(() => isListening(port, host), { what: `a listener on port ${port}` }).catch((error: Error) => {
    throw new Error(`${error.message}; the last words were\n${said()}`);
  });
}
