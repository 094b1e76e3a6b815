import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { selfSigned } from '../base/self-signed.ts';
import type { ApiFailure } from '../kubernetes/api.ts';
import { isStatus, type NamespacedApi, named, OwnNamespace } from '../kubernetes/own-namespace.ts';
import type { SourceLog } from '../model/source.ts';
import { checkTls, type TlsMaterial } from '../xds/server/tls-files.ts';

/** What the Secret is read with. */
export interface PeerSecretOptions {
  readonly api: NamespacedApi;
  readonly clock: Clock;
  readonly log: SourceLog;
  /** The Secret, in the namespace that Sluice runs in. */
  readonly secret: string;
  /** The name in the certificate that is made where there is none. */
  readonly name: string;
  /** Aborted at the end. */
  readonly signal: AbortSignal;
}

interface SecretObject {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly data?: Readonly<Record<string, string>>;
}

const SECRETS = { group: '/api/v1', plural: 'secrets' };
const DAY_MS = 86_400_000;
const YEARS = 10;

/**
 * The certificate that all Sluices of one set show each other, from a Secret: `tls.crt`, `tls.key` and `ca.crt`, as cert-manager
 * writes them. The first Sluice that finds the Secret empty makes a pair for all of them.
 */
export class PeerSecret {
  readonly #options: PeerSecretOptions;
  readonly #own: OwnNamespace;
  #last: TlsMaterial | undefined;

  constructor(options: PeerSecretOptions) {
    this.#options = options;
    this.#own = new OwnNamespace(options);
  }

  /** What it holds now; as long as nobody can be asked, what it held last. */
  async read(now: number): Promise<Result<TlsMaterial, string>> {
    const { secret, signal } = this.#options;
    const found = await this.#own.get(SECRETS, named(secret), signal);
    if (!found.ok) {
      const isUnanswered = found.errors.every(({ kind }) => kind === 'unreachable');
      return isUnanswered && this.#last !== undefined ? ok(this.#last) : fail(this.#explain(found, 'read'));
    }
    // An API server answers with the type that was asked for.
    const object = found.value as SecretObject;
    const { data = {} } = object;
    return Object.keys(data).length === 0 ? this.#fill(object, now) : this.#materialIn(data, now);
  }

  async #fill(object: SecretObject, now: number): Promise<Result<TlsMaterial, string>> {
    const { secret, name, log, signal } = this.#options;
    // A day earlier: clocks of machines differ.
    const pair = selfSigned(name, { from: now - DAY_MS, to: now + YEARS * 365 * DAY_MS });
    const data = {
      'tls.crt': base64(pair.certificate),
      'tls.key': base64(pair.key),
      'ca.crt': base64(pair.certificate),
    };
    const written = await this.#own.write(
      'PUT',
      { kind: SECRETS, rest: named(secret), body: { ...object, data } },
      signal,
    );
    if (written.ok) {
      const what = `Sluice has made the certificate for connections between Sluices, and put it into the Secret; it is valid for ${YEARS} years, and all who may read the Secret count as a Sluice. One of your own may take its place at any time`;
      log('info', what, { secret, name });
      return this.#materialIn(data, now);
    }
    // Another Sluice was faster.
    return isStatus(written, 409) ? this.read(now) : fail(this.#explain(written, 'filled'));
  }

  #materialIn(data: Readonly<Record<string, string>>, now: number): Result<TlsMaterial, string> {
    const { secret } = this.#options;
    const { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': ca } = data;
    if (certificate === undefined || key === undefined || ca === undefined) {
      return fail(`the Secret ${secret} needs tls.crt, tls.key and ca.crt, or nothing at all: then Sluice makes them`);
    }
    const material = { certificate: bytes(certificate), privateKey: bytes(key), clientCa: bytes(ca) };
    const at = (part: string) => `${part} of the Secret ${secret}`;
    const checked = checkTls(material, { certificate: at('tls.crt'), key: at('tls.key'), clientCa: at('ca.crt') }, now);
    if (checked.ok) this.#last = checked.value;
    return checked;
  }

  #explain(failed: Result<unknown, ApiFailure>, what: string): string {
    const { secret } = this.#options;
    const why = failed.ok ? '' : failed.errors.map(({ message }) => message).join(', ');
    if (isStatus(failed, 404)) return `there is no Secret ${secret}: kubectl create secret generic ${secret}`;
    const right = isStatus(failed, 403) ? '; give Sluice the right to it as the Role in k8s/base does' : '';
    return `the Secret ${secret} cannot be ${what}: ${why}${right}`;
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'base64');
}
