import { SerialPort } from 'serialport'
import { BridgeError, messageOf } from '../../core/error.ts'
import type { Config } from './index.ts'

/** A serial port that is open. */
export interface SerialLine {
  /** Settles when the port is gone, with the reason: unplugged, powered off, closed. */
  readonly lost: Promise<unknown>
  write(text: string): void
  close(): Promise<void>
}

/** Opens a serial port. Rejects with UNREACHABLE. */
export const openSerial = (
  { path, baud, parity, stop }: NonNullable<Config['line']>,
  bits: Config['bits'],
  hear: (bytes: Buffer) => void,
): Promise<SerialLine> =>
  new Promise((resolve, reject) => {
    const port = new SerialPort({
      path,
      baudRate: baud,
      dataBits: bits,
      parity,
      stopBits: stop,
      autoOpen: false,
    })
    const lost = new Promise<unknown>((settle) => {
      const gone = (why: unknown) =>
        settle(new BridgeError('UNREACHABLE', `${path}: ${why ? messageOf(why) : 'closed'}`))
      port.on('close', gone)
      port.on('error', gone)
    })
    port.on('data', hear)
    port.open((error) => {
      if (error) reject(new BridgeError('UNREACHABLE', `${path}: ${messageOf(error)}`, { cause: error }))
      else
        resolve({
          lost,
          write: (text) => {
            if (port.isOpen) port.write(text, 'latin1')
          },
          close: () => new Promise((closed) => (port.isOpen ? port.close(() => closed()) : closed())),
        })
    })
  })
