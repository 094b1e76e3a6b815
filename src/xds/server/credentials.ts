import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import { ok, type Result } from '../../base/result.ts';
import type { TlsMaterial, TlsReader } from './tls-files.ts';

type CaListener = Parameters<experimental.CertificateProvider['addCaCertificateListener']>[0];
type IdentityListener = Parameters<experimental.CertificateProvider['addIdentityCertificateListener']>[0];

/** How what a `RotatingCredentials` reads is watched. */
export interface RotationOptions {
  readonly clock: Clock;
  /** How often it is read, in milliseconds; 10 s by default. */
  readonly intervalMs?: number;
  /** Told once of everything new that is not taken, and why. */
  readonly onProblem: (problems: readonly string[]) => void;
  /** Told when a new pair is active. */
  readonly onRotated?: () => void;
}

/**
 * TLS for a server, from what is read again and again, such as files, so that a certificate can be replaced without a restart,
 * in whatever way the files are (a Kubernetes secret swaps a link that no watcher sees). New connections get the new
 * certificate, open ones stay. What cannot be used leaves the good pair before it active.
 */
export class RotatingCredentials implements experimental.CertificateProvider {
  /** What the server is started with. */
  readonly server: ServerCredentials;
  readonly #read: TlsReader;
  readonly #options: RotationOptions;
  readonly #caListeners = new Set<CaListener>();
  readonly #identityListeners = new Set<IdentityListener>();
  #material: TlsMaterial;
  #problems = '';
  #stopped = false;
  #cancel: () => void = () => {};

  private constructor(read: TlsReader, material: TlsMaterial, options: RotationOptions) {
    this.#read = read;
    this.#material = material;
    this.#options = options;
    const authorities = material.clientCa === undefined ? null : this;
    // Identity first, authorities second: what it does, whatever the names of its parameters say.
    this.server = experimental.createCertificateProviderServerCredentials(
      // The declared types hold the names to be right; both are certificate providers.
      this as experimental.CertificateProvider,
      authorities as experimental.CertificateProvider,
      authorities !== null,
    );
    this.#schedule();
  }

  /** Reads for the first time. Errors: everything that is wrong with what is read. */
  static async load(read: TlsReader, options: RotationOptions): Promise<Result<RotatingCredentials, string>> {
    const material = await read(options.clock.now());
    return material.ok ? ok(new RotatingCredentials(read, material.value, options)) : material;
  }

  /** What is active. */
  get material(): TlsMaterial {
    return this.#material;
  }

  /** Stops reading; what is active stays. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  addCaCertificateListener(listener: CaListener): void {
    this.#caListeners.add(listener);
    // Later: grpc-js looks for the listener's result only after it has added it.
    queueMicrotask(() => this.#tellCa(listener));
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#caListeners.delete(listener);
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.add(listener);
    queueMicrotask(() => this.#tellIdentity(listener));
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.delete(listener);
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#cancel = this.#options.clock.after(this.#options.intervalMs ?? 10_000, () => {
      void this.#reread().finally(() => this.#schedule());
    });
  }

  async #reread(): Promise<void> {
    const read = await this.#read(this.#options.clock.now());
    if (this.#stopped) return;
    const problems = read.ok ? '' : read.errors.join('\n');
    if (!read.ok && problems !== this.#problems) this.#options.onProblem(read.errors);
    this.#problems = problems;
    if (!read.ok || same(read.value, this.#material)) return;
    this.#material = read.value;
    for (const listener of this.#caListeners) this.#tellCa(listener);
    for (const listener of this.#identityListeners) this.#tellIdentity(listener);
    this.#options.onRotated?.();
  }

  #tellCa(listener: CaListener): void {
    const { clientCa } = this.#material;
    listener(clientCa === undefined ? null : { caCertificate: clientCa });
  }

  #tellIdentity(listener: IdentityListener): void {
    const { certificate, privateKey } = this.#material;
    listener({ certificate, privateKey });
  }
}

function same(a: TlsMaterial, b: TlsMaterial): boolean {
  const authorities = [a.clientCa ?? Buffer.alloc(0), b.clientCa ?? Buffer.alloc(0)] as const;
  return (
    a.certificate.equals(b.certificate) && a.privateKey.equals(b.privateKey) && authorities[0].equals(authorities[1])
  );
}
