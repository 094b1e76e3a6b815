import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import type { Login } from './cluster-config.ts';

/** After this many milliseconds without traffic the kernel begins to ask whether the other side is alive. */
const KEEP_ALIVE_MS = 15_000;

/** What one request needs besides its path. */
export interface Credentials {
  readonly agent: HttpAgent;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Gives the credentials for one request, read anew because tokens and certificates are replaced while we run. Rejects
 * with a message for people when a file cannot be read or a plug-in fails.
 */
export function logIn(login: Login): () => Promise<Credentials> {
  const { cluster, user, tokenFile } = login;
  // Plug-ins, identity providers and proxies are the library's, which is loaded for them and not before.
  const isPlain = !user.exec && !user.authProvider && !cluster.proxyUrl;
  const options = isPlain ? async () => plainOptions(login) : libraryOptions(login);
  const agents = new AgentOfOptions();
  const ask = async (): Promise<Credentials> => {
    const asked = await options();
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(asked.headers ?? {})) headers[name.toLowerCase()] = String(value);
    if (asked.auth) headers['authorization'] = `Basic ${Buffer.from(asked.auth).toString('base64')}`;
    if (tokenFile !== undefined) headers['authorization'] = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
    // A proxy needs the library's own agent.
    const own = cluster.proxyUrl ? asked.agent : undefined;
    const agent = own instanceof HttpAgent ? own : agents.get(asked, cluster.server);
    return { agent, headers };
  };
  // A plug-in (aws eks get-token, …) must not be started by every watch at the same time.
  let underWay: Promise<Credentials> | undefined;
  return () => {
    underWay ??= ask().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}

/** What the library would make of a token, a name and password, or certificates. */
function plainOptions({ cluster, user }: Login): RequestOptions {
  return {
    ca: fileOrData(cluster.caFile, cluster.caData),
    cert: fileOrData(user.certFile, user.certData),
    key: fileOrData(user.keyFile, user.keyData),
    rejectUnauthorized: cluster.skipTLSVerify ? false : undefined,
    servername: cluster.tlsServerName || undefined,
    auth: user.username ? `${user.username}:${user.password}` : undefined,
    headers: {
      ...(user.impersonateUser && { 'impersonate-user': user.impersonateUser }),
      ...(user.token && { authorization: `Bearer ${user.token}` }),
    },
  };
}

function fileOrData(file: string | undefined, data: string | undefined): Buffer | undefined {
  if (file) return readFileSync(file);
  return data ? Buffer.from(data, 'base64') : undefined;
}

function libraryOptions({ cluster, user }: Login): () => Promise<RequestOptions> {
  const load = async () => {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    // The library refuses http: servers (kubectl proxy) unless this is set; there is no TLS to verify.
    const trusting = cluster.server.startsWith('http:') ? { ...cluster, skipTLSVerify: true } : cluster;
    config.loadFromClusterAndUser(trusting, user);
    return config;
  };
  let loaded: ReturnType<typeof load> | undefined;
  return async () => {
    loaded ??= load();
    const options: RequestOptions = {};
    await (await loaded).applyToHTTPSOptions(options);
    return options;
  };
}

/** One agent for all requests, until the certificates change; connections that are in use then are left to end. */
class AgentOfOptions {
  #key: string | undefined;
  #agent: HttpAgent | undefined;

  get(options: RequestOptions, server: string): HttpAgent {
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
    const secrets = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
    const wanted = JSON.stringify(secrets);
    if (this.#agent !== undefined && wanted === this.#key) return this.#agent;
    const given = Object.fromEntries(Object.entries(secrets).filter(([, value]) => value != null));
    const common = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxFreeSockets: 4 };
    this.#key = wanted;
    this.#agent = server.startsWith('http:') ? new HttpAgent(common) : new HttpsAgent({ ...common, ...given });
    return this.#agent;
  }
}
