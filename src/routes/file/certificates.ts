import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { fail, ok, type Result } from '../../base/result.ts';
import { checkPair, type PairFault } from '../../base/tls-pair.ts';
import type { Certificate } from '../../model/listener.ts';
import type { Problem } from '../../model/problem.ts';
import type { Routing } from '../../model/routing.ts';
import type { Service } from '../../model/service.ts';
import type { RouteFile } from './parse.ts';

/** What the files of a routing's certificates hold. */
export interface ReadCertificates {
  /** The routing with the contents of the files in their place; undefined: it cannot be used. */
  readonly routing: Routing | undefined;
  /** What is wrong: errors without a routing, warnings with one. */
  readonly problems: readonly Problem[];
}

/** Largest file that is read: a chain of certificates is a hundredth of it. */
const LARGEST_BYTES = 1024 * 1024;

const UNREADABLE: Readonly<Record<string, readonly [message: string, fix: string]>> = {
  ENOENT: ['there is no such file', 'create it, or name another one'],
  ENOTDIR: ['there is no such file', 'create it, or name another one'],
  EISDIR: ['this is a folder', 'name the file in it'],
  EACCES: ['no permission to read it', 'allow the user that runs Sluice to read it'],
};

/** The paths of all files that a routing names, each once. */
export function namedFiles({ listeners, services }: Routing): readonly string[] {
  const certificates = listeners.flatMap(({ tls }) => tls?.certificates ?? []);
  const authorities = services.flatMap(({ tls }) => (tls?.authorities.kind === 'file' ? [tls.authorities.path] : []));
  const pairs = certificates.flatMap((one) => (one.kind === 'files' ? [one.cert, one.key] : []));
  return [...new Set([...pairs, ...authorities])];
}

/**
 * Reads and checks the files that a routing names; `subject` is the route file, `now` in milliseconds since the epoch. The
 * contents go to Envoy, which need not reach the files, and gets nothing that it would refuse.
 */
export async function readCertificates(routing: Routing, subject: string, now: number): Promise<ReadCertificates> {
  const problems: Problem[] = [];
  const listeners = await Promise.all(
    routing.listeners.map(async (listener) => {
      const { tls } = listener;
      if (tls === undefined) return listener;
      const certificates = await Promise.all(
        tls.certificates.map(async (one, at): Promise<Certificate> => {
          if (one.kind === 'inline') return one;
          const read = await readPair(one, now);
          const key = at === 0 ? 'listen.tls' : `listen.tls.more[${at - 1}]`;
          problems.push(
            ...read.problems.map(({ path, ...problem }) => ({ subject, path: `${key}.${path}`, ...problem })),
          );
          // The first one is called as its listener is; the names of the others are those of their places.
          return { kind: 'inline', name: at === 0 ? listener.name : `${listener.name}/${at + 1}`, ...read.pair };
        }),
      );
      return { ...listener, tls: { ...tls, certificates } };
    }),
  );
  const services = await Promise.all(
    routing.services.map(async (service): Promise<Service> => {
      const { tls } = service;
      if (tls?.authorities.kind !== 'file') return service;
      const { path } = tls.authorities;
      const read = await readPem(path);
      const fault = read.fault ?? authorityFault(path, read.text ?? '');
      if (fault !== undefined) {
        problems.push({ severity: 'error', subject, path: `services.${service.name}.tls.ca`, ...fault });
      }
      return { ...service, tls: { ...tls, authorities: { kind: 'pem', pem: read.text ?? '' } } };
    }),
  );
  const isUsable = problems.every(({ severity }) => severity === 'warning');
  return { routing: isUsable ? { ...routing, listeners, services } : undefined, problems };
}

/**
 * A route file that could be read, with what is wrong with the files it names: errors if they cannot be used, else further
 * warnings. `subject` and `now` as above.
 */
export async function withNamedFiles(
  file: RouteFile,
  subject: string,
  now: number,
): Promise<Result<RouteFile, Problem>> {
  const { routing, problems } = await readCertificates(file.routing, subject, now);
  const warnings = [...file.warnings, ...problems];
  return routing === undefined ? fail(...warnings) : ok({ ...file, warnings });
}

function authorityFault(path: string, pem: string): Pick<PairFault, 'message' | 'fix'> | undefined {
  try {
    return new X509Certificate(pem).subject === undefined ? noCertificate(path) : undefined;
  } catch {
    return noCertificate(path);
  }
}

function noCertificate(path: string): Pick<PairFault, 'message' | 'fix'> {
  return {
    message: `${path}: there is no PEM certificate in it`,
    fix: "name the file with the authority's certificate",
  };
}

/** `path`: below the certificate's own key. */
interface ReadPair {
  readonly pair: { readonly cert: string; readonly key: string };
  readonly problems: readonly Omit<Problem, 'subject'>[];
}

async function readPair(
  { cert, key }: { readonly cert: string; readonly key: string },
  now: number,
): Promise<ReadPair> {
  const [certificate, privateKey] = await Promise.all([readPem(cert), readPem(key)]);
  const pair = { cert: certificate.text ?? '', key: privateKey.text ?? '' };
  const unreadable = [
    ...(certificate.fault === undefined ? [] : [toProblem('error', { of: 'certificate', ...certificate.fault })]),
    ...(privateKey.fault === undefined ? [] : [toProblem('error', { of: 'key', ...privateKey.fault })]),
  ];
  if (unreadable.length > 0) return { pair, problems: unreadable };
  const names = { certificate: cert, key };
  const check = checkPair({ certificate: pair.cert, key: pair.key, names }, now);
  const found = [
    ...check.errors.map((fault) => ({ severity: 'error' as const, fault })),
    ...check.warnings.map((fault) => ({ severity: 'warning' as const, fault })),
  ];
  const named = found.map(({ severity, fault }) =>
    toProblem(severity, { ...fault, message: `${names[fault.of]}: ${fault.message}` }),
  );
  return { pair, problems: named };
}

function toProblem(severity: Problem['severity'], { of, message, fix }: PairFault): Omit<Problem, 'subject'> {
  return { severity, path: of === 'key' ? 'key' : 'cert', message, fix };
}

async function readPem(
  path: string,
): Promise<{ readonly text?: string; readonly fault?: Pick<PairFault, 'message' | 'fix'> }> {
  try {
    const { size } = await stat(path);
    if (size > LARGEST_BYTES) {
      return { fault: { message: `${path}: larger than 1 MiB`, fix: 'is this the right file?' } };
    }
    return { text: await readFile(path, 'utf8') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const [message, fix] = UNREADABLE[code] ?? [`cannot be read (${String(error)})`, 'see that it can be read'];
    return { fault: { message: `${path}: ${message}`, fix } };
  }
}
