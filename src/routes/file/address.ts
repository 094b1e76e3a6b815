import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { fail, ok, type Result } from '../../base/result.ts';
import type { PodAddress } from '../../model/locator.ts';
import { type Complaint, quote } from './report.ts';

const HOST_LABEL = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/;

/** An IP address in its one normal form (IPv6 in small letters and shortened), or undefined. */
export function normalizeIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  // A zone (fe80::1%eth0) means something on one machine only.
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/** An IP address to listen on. */
export function checkIp(text: string): Result<string, Complaint> {
  const ip = normalizeIp(text.replace(/^\[(.*)\]$/, '$1'));
  if (ip !== undefined) return ok(ip);
  const fix = text === 'localhost' ? 'write 127.0.0.1' : 'write one such as 0.0.0.0 (all), 127.0.0.1 or "::"';
  return fail({ message: `not an IP address: ${quote(text)}`, fix });
}

/** A pod's address: `10.0.0.1:80` or `[fd00::1]:80`. */
export function checkPodAddress(text: string): Result<PodAddress, Complaint> {
  const [, v6, v4, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const ip = normalizeIp(v6 ?? v4 ?? '');
  const port = Number(digits);
  if (ip !== undefined && port >= 1 && port <= 65_535) return ok({ ip, port });
  return fail({ message: `not an IP address and port: ${quote(text)}`, fix: addressFix(text, ip) });
}

function addressFix(text: string, ip: string | undefined): string {
  const bare = /^https?:\/\/(.*?)\/*$/i.exec(text)?.[1];
  if (bare !== undefined && checkPodAddress(bare).ok) return `write ${bare}, the address and port alone`;
  const [, front, end] = /^([0-9a-fA-F:]+):(\d{2,5})$/.exec(text) ?? [];
  const before = front === undefined || !front.includes(':') ? undefined : normalizeIp(front);
  if (before !== undefined && Number(end) >= 1 && Number(end) <= 65_535)
    return `write IPv6 addresses in brackets: "[${before}]:${end}"`;
  const alone = normalizeIp(text.replace(/^\[(.*)\]$/, '$1'));
  if (alone !== undefined) return `write the port as well: "${alone.includes(':') ? `[${alone}]` : alone}:8080"`;
  if (ip !== undefined) return 'write a port from 1 to 65535';
  const [, host = '', port = '8080'] = /^(?:https?:\/\/)?([^:/]+)(?::(\d+))?\/?$/.exec(text) ?? [];
  if (isLocalhost(host)) return `static takes IP addresses: write 127.0.0.1:${port}`;
  if (isHostname(host.toLowerCase()) && /[a-z]/i.test(host))
    return `static takes IP addresses: write dns: {host: ${host}, port: ${port}} instead of static, and its addresses are followed`;
  return 'write one such as 10.0.0.1:8080 or "[fd00::1]:8080"';
}

function isLocalhost(host: string): boolean {
  return /^localhost\.?$/i.test(host);
}

function isHostname(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => HOST_LABEL.test(label) && label.length <= 63);
}

/** The name of a host whose addresses DNS knows. */
export function checkDnsHost(text: string): Result<string, Complaint> {
  const host = text.toLowerCase().replace(/\.$/, '');
  const ip = normalizeIp(text.replace(/^\[(.*)\]$/, '$1'));
  if (ip !== undefined) {
    const fix = `write static: ["${ip.includes(':') ? `[${ip}]` : ip}:8080"] instead of dns`;
    return fail({ message: `an IP address is not a host name: ${quote(text)}`, fix });
  }
  if (isHostname(host)) return ok(host);
  return fail({ message: `not a host name: ${quote(text)}`, fix: hostFix(text) });
}

/**
 * A host that requests ask for: a name in small letters, `*.` and a name, or an IP address (IPv6 in brackets, as clients
 * send it).
 */
export function checkRequestHost(text: string): Result<string, Complaint> {
  const message = `not a host: ${quote(text)}`;
  if (text === '*') return fail({ message, fix: 'leave hosts out: then every host is taken' });
  if (normalizeIp(text)?.includes(':'))
    return fail({ message, fix: `write IPv6 in brackets: "[${normalizeIp(text)}]"` });
  const inBrackets = /^\[(.*)\]$/.exec(text)?.[1];
  const ip = normalizeIp(inBrackets ?? text);
  if (ip !== undefined) return ok(ip.includes(':') ? `[${ip}]` : ip);
  const name = text.startsWith('*.') ? text.slice(2) : text;
  if (isHostname(name)) return ok(text);
  return fail({ message, fix: hostFix(text) });
}

function hostFix(text: string): string {
  const bare = text
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/\/.*$/, '')
    .replace(/:\d*$/, '')
    .replace(/\.$/, '');
  const star = bare.startsWith('*.') ? '*.' : '';
  const host = star + domainToASCII(bare.slice(star.length));
  const rest = host.slice(star.length);
  if (rest === '' || !isHostname(rest)) return 'write a name such as infer.example or "*.infer.example"';
  const why = bare === text ? '' : ', the name alone';
  return `write ${star === '' ? host : `"${host}"`}${why}`;
}
