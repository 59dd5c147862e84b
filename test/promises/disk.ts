import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newDir } from './program.ts'

const mounted: string[] = []

/** A disk of its own, of so many bytes (`24m`). */
export const smallDisk = (size: string): string => {
  const dir = newDir()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir], { stdio: 'pipe' })
  } catch (error) {
    throw new Error(
      `this test fills a small disk of its own and needs the right to mount one: run it as root, in a container with --cap-add SYS_ADMIN (${(error as Error).message.trim()})`,
    )
  }
  mounted.push(dir)
  return dir
}

/** Takes all that is left of a disk, by the file `filler`. */
export const fill = (dir: string): void => {
  for (const bytes of [262_144, 4_096, 512])
    try {
      for (;;) writeFileSync(join(dir, 'filler'), Buffer.alloc(bytes), { flag: 'a' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
}

/** Takes away the small disks; nothing may run on them any more. */
export const unmountAll = (): void => {
  for (const dir of mounted.splice(0)) execFileSync('umount', ['-l', dir])
}
