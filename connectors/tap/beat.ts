import type { Socket } from 'node:net'
import { BridgeError } from '../../core/error.ts'
import { checksumOf } from './codec.ts'

/** The number that a heartbeat is sent to. */
const pager = '0'

/** Sends one page as a sender does. Rejects when it is not acknowledged. */
export const beat = async (socket: Socket, text: string, signal: AbortSignal): Promise<void> => {
  const block = Buffer.from(`\x02${pager}\r${text}\r\x03`, 'latin1')
  const steps = [
    ['\r', 'ID='],
    ['\x1bPG1\r', '\x06\r\x1b[p\r'],
    [`${block.toString('latin1')}${checksumOf(block)}\r`, '\x06\r'],
  ] as const
  try {
    for (const [said, wanted] of steps) {
      socket.write(said, 'latin1')
      await answered(socket, wanted, signal)
    }
    socket.end('\x04\r')
  } finally {
    if (!socket.writableEnded) socket.destroy()
    else socket.resume()
  }
}

const answered = (socket: Socket, wanted: string, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    let got = ''
    const settle = (wrong: string | null) => {
      socket.off('data', hear)
      socket.off('close', gone)
      signal.removeEventListener('abort', given)
      if (wrong === null) resolve()
      else reject(new BridgeError('BAD_ANSWER', `the heartbeat page was not acknowledged: ${wrong}`))
    }
    const hear = (bytes: Buffer) => {
      got += bytes.toString('latin1')
      if (got.includes(wanted)) settle(null)
      else if (got.length > 64 || got.startsWith('\x15'))
        settle(`answered ${JSON.stringify(got.slice(0, 64))}`)
    }
    const gone = () => settle('the connection ended')
    const given = () => settle('it took too long')
    socket.on('data', hear)
    socket.once('close', gone)
    signal.addEventListener('abort', given)
    if (signal.aborted) given()
  })
