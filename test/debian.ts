import { spawnSync } from 'node:child_process';

/** Installs a program on Debian where it is missing. @throws Error where it can not be had */
export function install(program: string, packageName: string = program): void {
  if (isThere(program)) return;
  if (!aptGet(packageName)) spawnSync('apt-get', ['update'], { stdio: 'ignore' });
  if (!isThere(program)) aptGet(packageName);
  if (!isThere(program)) throw new Error(`there is no ${program}: apt-get install ${packageName}`);
}

/**
 * Whether a program is there, if need be by {@link install}.
 *
 * @throws Error under `CI` when it is not: what is always skipped there would rot
 */
export function isInstalled(program: string, packageName?: string): boolean {
  try {
    install(program, packageName);
    return true;
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    console.warn(`${error}; what needs it is skipped`);
    return false;
  }
}

function isThere(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** Others may be installing something at the same time. */
function aptGet(packageName: string): boolean {
  const args = ['-o', 'DPkg::Lock::Timeout=300', 'install', '-y', packageName];
  return spawnSync('apt-get', args, { stdio: 'ignore' }).status === 0;
}
