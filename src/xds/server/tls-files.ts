import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { reasonOf } from '../../base/reason.ts';
import { fail, ok, type Result } from '../../base/result.ts';

/** Where the server's certificate stands, in PEM files. */
export interface TlsFiles {
  /** The server's certificate, followed by those it is signed with, but for the root. */
  readonly certificate: string;
  readonly key: string;
  /** Clients must show a certificate signed by one of these; without it any client may connect. */
  readonly clientCa?: string;
}

/** What the files held, checked. */
export interface TlsMaterial {
  readonly certificate: Buffer;
  readonly privateKey: Buffer;
  readonly clientCa: Buffer | undefined;
}

/** Gives what is to be used now; `now` is in milliseconds since the epoch. Errors name the place and what is wrong with it. */
export type TlsReader = (now: number) => Promise<Result<TlsMaterial, string>>;

/** Reads and checks the files; `now` is in milliseconds since the epoch. Errors name the file and what is wrong with it. */
export async function readTlsFiles(files: TlsFiles, now: number): Promise<Result<TlsMaterial, string>> {
  const [certificate, privateKey, clientCa] = await Promise.all([
    readPem(files.certificate),
    readPem(files.key),
    files.clientCa === undefined ? ok(undefined) : readPem(files.clientCa),
  ]);
  if (!certificate.ok || !privateKey.ok || !clientCa.ok) {
    return fail(...[certificate, privateKey, clientCa].flatMap((file) => (file.ok ? [] : file.errors)));
  }
  const material = { certificate: certificate.value, privateKey: privateKey.value, clientCa: clientCa.value };
  return checkTls(material, files, now);
}

/** The same for what was read elsewhere; `places` says where, for the errors. */
export function checkTls(material: TlsMaterial, places: TlsFiles, now: number): Result<TlsMaterial, string> {
  const { certificate, privateKey, clientCa } = material;
  const errors = [
    ...certificateProblems(places, certificate, privateKey, now),
    ...(clientCa === undefined ? [] : authorityProblems(`${places.clientCa}`, clientCa)),
  ];
  return errors.length > 0 ? fail(...errors) : ok(material);
}

async function readPem(path: string): Promise<Result<Buffer, string>> {
  try {
    return ok(await readFile(path));
  } catch (error) {
    return fail(`${path}: cannot be read: ${reasonOf(error)}`);
  }
}

function certificateProblems(files: TlsFiles, pem: Buffer, keyPem: Buffer, now: number): readonly string[] {
  const certificate = attempt(() => new X509Certificate(pem));
  const key = attempt((): KeyObject => createPrivateKey(keyPem));
  if (!certificate.ok || !key.ok) {
    return [
      ...(certificate.ok ? [] : [`${files.certificate}: not a certificate in PEM form: ${certificate.errors.join()}`]),
      ...(key.ok ? [] : [`${files.key}: not a private key in PEM form: ${key.errors.join()}`]),
    ];
  }
  const problems: string[] = [];
  const { validTo } = certificate.value;
  if (Date.parse(validTo) < now) problems.push(`${files.certificate}: expired on ${validTo}`);
  if (!certificate.value.checkPrivateKey(key.value)) {
    problems.push(`${files.key}: is not the key of the certificate in ${files.certificate}`);
  }
  return problems;
}

function authorityProblems(path: string, pem: Buffer): readonly string[] {
  const blocks = pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return [`${path}: holds no certificate in PEM form`];
  return blocks.flatMap((block, index) => {
    const parsed = attempt(() => new X509Certificate(block));
    return parsed.ok ? [] : [`${path}: certificate ${index + 1} cannot be read: ${parsed.errors.join()}`];
  });
}

function attempt<T>(act: () => T): Result<T, string> {
  try {
    return ok(act());
  } catch (error) {
    return fail(reasonOf(error));
  }
}
