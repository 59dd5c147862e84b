import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { ReadStream } from 'node:tty'

/** A serial cable on this machine: what is written to one end is read at the other. */
export interface SerialCable {
  readonly ends: readonly [string, string]
  /** Both ports go away, as when an adapter is unplugged. */
  unplug(): Promise<void>
}

/** Lays a cable between two pseudo-terminals with socat, which must be installed. */
export const serialCable = (): Promise<SerialCable> =>
  new Promise((resolve, reject) => {
    const socat = spawn('socat', ['-d', '-d', 'pty,raw,echo=0', 'pty,raw,echo=0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const gone = new Promise<void>((over) => socat.once('exit', () => over()))
    const timer = setTimeout(() => socat.kill(), 5_000)
    let said = ''
    socat.once('error', reject)
    socat.once('exit', () => {
      clearTimeout(timer)
      reject(new Error(`socat made no pseudo-terminals: ${said}`))
    })
    socat.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      const [one, other] = [...said.matchAll(/PTY is (\S+)/g)].map(([, path]) => path as string)
      if (one === undefined || other === undefined || !said.includes('starting data transfer')) return
      clearTimeout(timer)
      resolve({
        ends: [one, other],
        unplug: async () => {
          socat.kill()
          await gone
        },
      })
    })
  })

/** Opens one end of a cable; bytes go as they are. */
export const openEnd = (path: string): ReadStream => {
  const end = new ReadStream(openSync(path, 'r+'))
  end.setRawMode(true)
  end.on('error', () => end.destroy())
  return end
}
