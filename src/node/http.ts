import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import * as tls from 'node:tls';

import { TilesightError } from '../engine/errors.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment names for a URL: `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` (either case), unless
 * `NO_PROXY` lists the host, a domain above it, or `*`. Node's own `fetch` ignores these before version 24.
 *
 * @throws TilesightError `usage` when the proxy is no http or https URL.
 */
export function proxyFor(url: URL, environment: Environment = process.env): URL | undefined {
  const read = (name: string): string | undefined => environment[name.toLowerCase()] ?? environment[name.toUpperCase()];
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  for (const entry of (read('no_proxy') ?? '').split(/[\s,]+/).filter(Boolean)) {
    const [name = '', entryPort] = entry.toLowerCase().split(/:(?=\d+$)/);
    const domain = name.replace(/^\*?\.?/, '');
    if (entryPort !== undefined && entryPort !== port) continue;
    if (name === '*' || url.hostname === domain || (domain !== '' && url.hostname.endsWith(`.${domain}`)))
      return undefined;
  }
  const value = read(url.protocol === 'https:' ? 'https_proxy' : 'http_proxy') || read('all_proxy');
  if (!value) return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy?.protocol !== 'http:' && proxy?.protocol !== 'https:') {
    throw new TilesightError(
      'usage',
      `the proxy ${JSON.stringify(value)} in the environment is no http or https address: correct HTTPS_PROXY or unset it`,
    );
  }
  return proxy;
}

function proxyHeaders(proxy: URL): Record<string, string> {
  if (!proxy.username) return {};
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** Opens a TLS connection to a host through a proxy's CONNECT. */
async function tunnel(url: URL, proxy: URL, signal: AbortSignal): Promise<tls.TLSSocket> {
  const authority = `${url.hostname}:${url.port || '443'}`;
  const socket = await new Promise<Socket>((resolve, reject) => {
    const request = (proxy.protocol === 'https:' ? https : http).request({
      host: proxy.hostname,
      port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...proxyHeaders(proxy) },
      agent: false,
      signal,
    });
    request.once('connect', (response, connected: Socket) => {
      if (response.statusCode === 200) {
        resolve(connected);
        return;
      }
      connected.destroy();
      reject(new Error(`the proxy ${proxy.host} answered ${response.statusCode ?? 'nothing'} to CONNECT ${authority}`));
    });
    request.once('error', (error) => reject(new Error(`the proxy ${proxy.host} cannot be used: ${error.message}`)));
    request.end();
  });
  return new Promise((resolve, reject) => {
    const secure = tls.connect({ socket, servername: url.hostname }, () => resolve(secure));
    secure.once('error', reject);
    signal.addEventListener('abort', () => secure.destroy(new Error('aborted')), { once: true });
  });
}

/** Sends one GET request, through the environment's proxy if there is one. Does not follow redirects. */
export async function get(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const proxy = proxyFor(url);
  let options: https.RequestOptions = { headers: { ...headers }, agent: false, signal };
  let target = url;
  if (proxy && url.protocol === 'https:') {
    const secure = await tunnel(url, proxy, signal);
    options = { ...options, agent: undefined, createConnection: () => secure };
  } else if (proxy) {
    target = proxy;
    options = { ...options, path: url.href, headers: { ...headers, host: url.host, ...proxyHeaders(proxy) } };
  }
  return new Promise((resolve, reject) => {
    const request = (target.protocol === 'https:' ? https : http).request(target, options, resolve);
    request.once('error', reject);
    request.end();
  });
}
