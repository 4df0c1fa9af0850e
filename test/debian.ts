import { execFile } from 'node:child_process';

/** Installs a program on Debian where it is missing. @throws Error where it can not be had */
export async function install(program: string, packageName: string = program): Promise<void> {
  if (await isThere(program)) return;
  if (!(await aptGet('install', '-y', packageName)) && (await aptGet('update')))
    await aptGet('install', '-y', packageName);
  if (!(await isThere(program))) throw new Error(`there is no ${program}: apt-get install ${packageName}`);
}

/**
 * Whether a program is there, if need be by {@link install}: what needs one that can not be had is skipped.
 *
 * @throws Error under `CI`, where nothing may be skipped: it would rot
 */
export async function isInstalled(program: string, packageName?: string): Promise<boolean> {
  try {
    await install(program, packageName);
    return true;
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    console.warn(`${error}; what needs it is skipped`);
    return false;
  }
}

function isThere(program: string): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(program, ['--version'], (error) => resolve(error?.code !== 'ENOENT'));
  });
}

/** Others may be installing something at the same time. */
function aptGet(...args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], (error) => resolve(error === null));
  });
}
