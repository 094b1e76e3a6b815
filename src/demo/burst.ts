import { get } from 'node:http';

/** Bursts stop above this: whoever holds the key down must not run out of connections. */
const MOST_ON_THEIR_WAY = 200;

/** Sends requests to `port` on loopback, all at once, and does not care for the answers. */
export class Burst {
  readonly #port: number;
  readonly #stopping = new AbortController();
  #onTheirWay = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends `count` requests, or as many as there is room for. */
  send(count: number): void {
    const room = MOST_ON_THEIR_WAY - this.#onTheirWay;
    for (let sent = 0; sent < Math.min(count, room); sent++) this.#sendOne();
  }

  /** Gives up those that are on their way. */
  stop(): void {
    this.#stopping.abort();
  }

  #sendOne(): void {
    this.#onTheirWay += 1;
    const request = get(
      { host: '127.0.0.1', port: this.#port, path: '/', agent: false, signal: this.#stopping.signal },
      (response) => response.resume(),
    );
    request.on('error', () => {});
    request.on('close', () => {
      this.#onTheirWay -= 1;
    });
  }
}
