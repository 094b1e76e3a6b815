/** Whether a host of a route or listener (`a.example`, `*.example` for any depth) takes a host, or every host of such a form. */
export function takesHost(own: string, host: string): boolean {
  return own === host || (own.startsWith('*.') && host.endsWith(own.slice(1)) && host.length >= own.length);
}

/** Those of a route's hosts that take a host; none of none. */
export function fittingHosts(hosts: readonly string[], host: string): readonly string[] {
  return hosts.filter((own) => takesHost(own, host));
}

/** The hosts that both take: the narrower of the two; undefined: there is none. Undefined as a host: every host. */
export function narrowerHost(a: string | undefined, b: string | undefined): { readonly host?: string } | undefined {
  if (a === undefined) return b === undefined ? {} : { host: b };
  if (b === undefined || takesHost(b, a)) return { host: a };
  return takesHost(a, b) ? { host: b } : undefined;
}
