/** Something that listens: a host name or IP address (IPv6 without brackets), and a TCP port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:9901` or `[::1]:9901`. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
