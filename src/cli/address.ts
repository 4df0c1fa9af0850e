import { bad } from './command.js';

/** Where a peer is asked. */
export interface Address {
  /** As the user wrote it. */
  readonly url: string;
  /** `host:port`. */
  readonly endpoint: string;
  /** What the paths of its requests begin with. */
  readonly path: string;
  readonly isTls: boolean;
}

/**
 * Reads the URL of a peer: `host:port`, or with a scheme, or with the path that its transport has.
 *
 * @throws RaftError `BAD_OPTION`
 */
export function readAddress(url: string): Address {
  const { protocol, hostname, port, pathname, username, password, search, hash } = parse(url);
  const isTls = protocol === 'https:';
  if (username + password + search + hash !== '')
    throw bad(`'${url}': expected nothing but a scheme, a host, a port and a path`);
  const path = pathname.replace(/\/+$/, '');
  return {
    url,
    endpoint: `${hostname}:${port || (isTls ? 443 : 80)}`,
    path: path === '' ? '/raft' : path,
    isTls,
  };
}

function parse(url: string): URL {
  const whole = url.includes('://') ? url : `http://${url}`;
  if (/^https?:/i.test(whole) && URL.canParse(whole)) return new URL(whole);
  throw bad(`'${url}': expected a URL such as http://127.0.0.1:7001`);
}
