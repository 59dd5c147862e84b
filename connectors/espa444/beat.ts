import type { Socket } from 'node:net'
import { BridgeError } from '../../core/error.ts'
import { bccOf, chars } from './codec.ts'
import type { Config } from './index.ts'

/** The call address that a heartbeat is sent to. */
const callAddress = '0'

/** Sends one call as a control station does. Rejects when it is not acknowledged. */
export const beat = async (
  socket: Socket,
  text: string,
  { address, selects }: Pick<Config, 'address' | 'selects'>,
  signal: AbortSignal,
): Promise<void> => {
  const control = address === '1' ? '0' : '1'
  const selection = `${selects === 'direct' ? '' : `${control}\x05`}${address}\x05`
  const body = Buffer.from(`1\x021\x1f${callAddress}\x1e2\x1f${text}\x03`, 'latin1')
  try {
    for (const said of [Buffer.from(selection), Buffer.from([chars.SOH, ...body, bccOf(body)])]) {
      socket.write(said)
      await acknowledged(socket, signal)
    }
    socket.end('\x04')
    socket.resume()
  } finally {
    if (!socket.writableEnded) socket.destroy()
  }
}

const acknowledged = (socket: Socket, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const settle = (wrong: string | null) => {
      socket.off('data', hear)
      socket.off('close', gone)
      signal.removeEventListener('abort', given)
      if (wrong === null) resolve()
      else reject(new BridgeError('BAD_ANSWER', `the heartbeat call was not acknowledged: ${wrong}`))
    }
    const hear = (bytes: Buffer) =>
      settle(bytes[0] === chars.ACK ? null : `answered ${bytes.subarray(0, 16).toString('hex')}`)
    const gone = () => settle('the connection ended')
    const given = () => settle('it took too long')
    socket.on('data', hear)
    socket.once('close', gone)
    signal.addEventListener('abort', given)
    if (signal.aborted) given()
  })
