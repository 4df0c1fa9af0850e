import { expect, test } from 'vitest';
import { readAddress } from '../../src/cli/address.js';

test.each([
  ['127.0.0.1:7001', '127.0.0.1:7001', '/raft', false],
  ['localhost:7001', 'localhost:7001', '/raft', false],
  ['http://a.example', 'a.example:80', '/raft', false],
  ['HTTPS://a.example/', 'a.example:443', '/raft', true],
  ['https://[::1]:7001/deep/raft/', '[::1]:7001', '/deep/raft', true],
])('The URL %s leads to %s, below %s', (url, endpoint, path, isTls) => {
  expect(readAddress(url)).toEqual({ url, endpoint, path, isTls });
});

test.each(['', 'http://', 'ftp://a:1', 'http://user:word@a:1', 'a:1?x', 'a:1#x', 'a:99999', 'a b:1'])(
  'The URL %o is refused',
  (url) => {
    expect(() => readAddress(url)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }));
  },
);
