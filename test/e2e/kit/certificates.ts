import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const openssl = (...args: readonly string[]) => promisify(execFile)('openssl', [...args]);

/** EC keys: made in a moment, where RSA takes seconds on a busy machine. */
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A folder of certificates made with openssl: `NAME.crt` with `NAME.key`. */
export class Certificates {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** In a new folder, with an authority of each of these names. */
  static async make(...authorities: readonly string[]): Promise<Certificates> {
    const made = new Certificates(await mkdtemp(join(tmpdir(), 'sluice-certificates-')));
    for (const name of authorities) {
      await openssl('req', '-x509', ...NEW_KEY, ...made.#files(name, 'crt'), '-subj', `/CN=${name}`, '-days', '2');
    }
    return made;
  }

  /** The path of a file in the folder. */
  at(name: string): string {
    return join(this.folder, name);
  }

  /** Makes a certificate for these names (`DNS:…`, `URI:…`, `IP:…`; comma-separated), signed by the authority `by`. */
  async sign(name: string, names: string, by = 'ca'): Promise<void> {
    await openssl('req', ...NEW_KEY, ...this.#files(name, 'csr'), '-subj', `/CN=${name}`);
    await writeFile(this.at(`${name}.ext`), `subjectAltName=${names}`);
    const signer = ['-CA', this.at(`${by}.crt`), '-CAkey', this.at(`${by}.key`), '-CAcreateserial'];
    const files = ['-in', this.at(`${name}.csr`), '-out', this.at(`${name}.crt`), '-extfile', this.at(`${name}.ext`)];
    await openssl('x509', '-req', ...files, ...signer, '-days', '1');
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  #files(name: string, what: 'crt' | 'csr'): readonly string[] {
    return ['-keyout', this.at(`${name}.key`), '-out', this.at(`${name}.${what}`)];
  }
}
