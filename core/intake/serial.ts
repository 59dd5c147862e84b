import { read } from 'node:fs'
import { promisify } from 'node:util'
import { BridgeError, messageOf } from '../error.ts'

const readBytes = promisify(read)

/** The port of the library `serialport`, made with `autoOpen: false`. */
export interface SerialPort {
  readonly path: string
  readonly isOpen: boolean
  /** What reads and writes, once it is open. */
  readonly port?: unknown
  open(then: (error: Error | null) => void): void
  write(text: string, encoding: 'latin1'): unknown
  close(then: () => void): void
  on(event: string, run: (it: any) => void): unknown
}

/** The part of an open port of Linux and macOS that reads. */
interface Reader {
  readonly fd: number | null
  readonly isOpen: boolean
  readonly poller: { once(event: 'readable', run: (error: Error | null) => void): unknown }
  read(buffer: Buffer, offset: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }>
}

/** A serial line that is open. */
export interface SerialLine {
  /** Settles when the port is gone, with the reason: unplugged, powered off, closed. */
  readonly lost: Promise<unknown>
  write(text: string): void
  close(): Promise<void>
}

/** Opens a serial port. Rejects with UNREACHABLE. */
export const openSerial = (port: SerialPort, hear: (bytes: Buffer) => void): Promise<SerialLine> =>
  new Promise((resolve, reject) => {
    const { path } = port
    const lost = new Promise<unknown>((settle) => {
      const gone = (why: unknown) =>
        settle(new BridgeError('UNREACHABLE', `${path}: ${why ? messageOf(why) : 'closed'}`))
      port.on('close', gone)
      port.on('error', gone)
    })
    port.open((error) => {
      if (error) {
        reject(new BridgeError('UNREACHABLE', `${path}: ${messageOf(error)}`, { cause: error }))
        return
      }
      noticeHangUp(port)
      port.on('data', hear)
      resolve({
        lost,
        write: (text) => {
          if (port.isOpen) port.write(text, 'latin1')
        },
        close: () => new Promise((closed) => (port.isOpen ? port.close(closed) : closed())),
      })
    })
  })

/**
 * A port that was hung up (its adapter unplugged) reads nothing, at once, for ever: serialport 13 then asks again at
 * full speed, and never says that the port is gone. Here nothing read is the end of the port.
 */
export const noticeHangUp = (port: { readonly port?: unknown }): void => {
  const reader = port.port as Reader
  // Windows reads in another way.
  if (!('poller' in reader)) return
  reader.read = async (buffer, offset, length) => {
    for (;;) {
      if (!reader.isOpen || reader.fd === null) throw canceled()
      try {
        const { bytesRead } = await readBytes(reader.fd, buffer, offset, length, null)
        if (bytesRead > 0) return { buffer, bytesRead }
      } catch (error) {
        if (!reader.isOpen) throw canceled()
        if (!again.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
        await new Promise<void>((resolve, reject) => {
          reader.poller.once('readable', (wrong) => (wrong ? reject(wrong) : resolve()))
        })
        continue
      }
      throw new Error('the port was hung up')
    }
  }
}

const again: readonly string[] = ['EAGAIN', 'EWOULDBLOCK', 'EINTR']

/** As the library's own, so that it takes it for the end of a port that we have closed. */
const canceled = (): Error => Object.assign(new Error('the port is not open'), { canceled: true })
