import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** socat makes its pty within this, ms. */
const WITHIN_MS = 5_000

/** A serial port of this machine, with a panel that speaks RTU at its other end. */
export interface Pty {
  readonly path: string
  /** Pulls the adapter out: the port is gone, with everything that is open on it. */
  unplug(): Promise<void>
}

/** A pseudo-terminal (by socat) whose other end is a TCP port on loopback. */
export const startPty = async (port: number): Promise<Pty> => {
  const folder = mkdtempSync(join(tmpdir(), 'modbus-'))
  const path = join(folder, 'tty')
  const socat = spawn('socat', [`pty,raw,echo=0,link=${path}`, `tcp:127.0.0.1:${port},nodelay`], {
    stdio: 'ignore',
  })
  const ended = once(socat, 'exit')
  ended.catch(() => {})
  const made = Date.now()
  while (!existsSync(path)) {
    if (socat.exitCode !== null || Date.now() - made > WITHIN_MS)
      throw new Error('socat has made no pty: is socat installed?')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  // socat ends when nobody has its pty open any more; so somebody always has.
  const held = openSync(path, constants.O_RDWR | constants.O_NOCTTY)
  let gone: Promise<void> | null = null
  const unplug = async () => {
    socat.kill()
    await ended
    closeSync(held)
    rmSync(folder, { recursive: true, force: true })
  }
  return {
    path,
    unplug: () => {
      gone ??= unplug()
      return gone
    },
  }
}
