import { formatHostPort, type HostPort } from '../base/host-port.ts';

/** Where an Envoy's admin listens: at a port, or at a Unix socket, where no page in a browser gets to. */
export type AdminPlace = HostPort | { readonly socket: string };

/** `127.0.0.1:9901` or `unix:/run/envoy.sock`. */
export function formatPlace(place: AdminPlace): string {
  return 'socket' in place ? `unix:${place.socket}` : formatHostPort(place);
}

/** How a person asks there for `path`. */
export function curlCommand(place: AdminPlace, path: string): string {
  if ('socket' in place) return `curl --unix-socket ${place.socket} http://envoy${path}`;
  return `curl http://${formatHostPort(place)}${path}`;
}
