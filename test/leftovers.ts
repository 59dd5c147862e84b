import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A new folder for temporary files, which says whose it is. */
export const ownFolder = (kind: string): Promise<string> =>
  mkdtemp(join(tmpdir(), `duress-${kind}-${process.pid}-`))

/** Folders of this kind whose process was killed before it could remove them. */
export const leftFolders = async (kind: string): Promise<string[]> => {
  const named = new RegExp(`^duress-${kind}-(\\d+)-\\w{6}$`)
  return (await readdir(tmpdir()))
    .filter((name) => named.test(name) && !isAlive(Number(named.exec(name)?.[1])))
    .map((name) => join(tmpdir(), name))
}

export const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It is somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Removes a folder with all that is mounted in it. */
export const clear = async (folder: string): Promise<void> => {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '')
  for (const mount of mounts.filter((path) => path.startsWith(`${folder}/`)).reverse())
    await run('umount', ['--lazy', mount])
  await rm(folder, { recursive: true, force: true })
}
