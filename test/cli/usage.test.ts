import { expect, test } from 'vitest';
import { raftbeat, VERSION } from './kit.js';

test.each(['--help', '-h'])('%s names all commands', async (flag) => {
  const { code, stdout, stderr } = await raftbeat([flag]);
  expect([code, stderr]).toEqual([0, '']);
  for (const command of ['demo', 'state URL...', 'resign URL'])
    expect(stdout).toContain(`raftbeat ${command}\n`);
});

test.each(['demo', 'state', 'resign'])(
  '%s --help says what it does, and what its exit codes mean',
  async (name) => {
    const { code, stdout, stderr } = await raftbeat([name, '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^raftbeat ${name}.*\n\n.+\n\n[^]*Exit codes: 0: `));
  },
);

test('--version tells the version of the package', async () => {
  expect(await raftbeat(['--version'])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
});

test.each([
  [[], 'which command?'],
  [['stat'], "no command 'stat'"],
  [['toString'], "no command 'toString'"],
  [['demo', 'twice'], "'twice'"],
  [['state'], 'whom to ask?'],
  [['state', '--jsn', 'a:1'], "'--jsn'"],
  [['state', 'ftp://a:1'], "'ftp://a:1'"],
  [['state', 'a:1', '--timeout', '0'], '--timeout'],
  [['state', 'a:1', '--timeout', 'soon'], '--timeout'],
  [['state', 'a:1', '--ca', '/nothing/there'], '--ca: ENOENT'],
  [['resign'], 'expected one URL'],
  [['resign', 'a:1', 'b:1'], 'expected one URL'],
  [['resign', 'a:1', '--secret', 'x'], "'--secret'"],
  [['resign', 'a:1', '--secret-file', '/nothing/there'], '--secret-file: ENOENT'],
])('%j exits with 2, and says what is wrong', async (args, what) => {
  const { code, stdout, stderr } = await raftbeat(args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(what);
  expect(stderr).not.toContain('    at ');
});

test('a secret that no member can have is refused, and not shown', async () => {
  const { code, stderr } = await raftbeat(['resign', 'a:1'], { RAFTBEAT_SECRET: 'short' });
  expect(code).toBe(2);
  expect(stderr).toContain('at least 16 characters');
  expect(stderr).not.toContain('short\n');
});
