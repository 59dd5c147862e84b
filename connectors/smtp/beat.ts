import type { Socket } from 'node:net'
import { secureOwn } from '../../core/bind.ts'
import { BridgeError } from '../../core/error.ts'
import type { Config } from './index.ts'

/** More than a server says before its line ends is not ours. */
const replyMax = 8_192

/** Sends one mail over `socket`, as any sender does. Rejects when it is not taken. */
export const mailOwn = async (
  socket: Socket,
  text: string,
  {
    config,
    cert,
    login,
  }: { config: Config; cert: Buffer | undefined; login: readonly [string, string] | undefined },
): Promise<void> => {
  let line = cert && config.tls?.mode === 'implicit' ? await secureOwn(socket, cert) : socket
  try {
    await reply(line)
    await say(line, 'EHLO heartbeat')
    if (cert && config.tls?.mode === 'starttls') {
      await say(line, 'STARTTLS')
      line = await secureOwn(line, cert)
      await say(line, 'EHLO heartbeat')
    }
    if (login) await say(line, `AUTH PLAIN ${Buffer.from(['', ...login].join('\0')).toString('base64')}`)
    await say(line, 'MAIL FROM:<heartbeat@localhost>')
    await say(line, 'RCPT TO:<heartbeat@localhost>')
    await say(line, 'DATA')
    await say(line, `Subject: ${text}\r\n\r\n.`)
    line.end('QUIT\r\n')
  } finally {
    line.end()
    socket.end()
  }
}

const say = async (line: Socket, command: string): Promise<void> => {
  line.write(`${command}\r\n`)
  const answer = await reply(line)
  if (Number(answer.slice(0, 3)) >= 400)
    throw new BridgeError('REFUSED', `our own listener said ${answer.trim().slice(0, 160)}`)
}

/** One whole answer; several lines are one (RFC 5321, 4.2.1). */
const reply = (line: Socket): Promise<string> =>
  new Promise((resolve, reject) => {
    let said = ''
    const over = () => {
      stop()
      reject(new BridgeError('UNREACHABLE', 'our own listener closed the connection'))
    }
    const hear = (bytes: Buffer) => {
      said += bytes.toString('latin1')
      if (/^\d{3}(?: .*)?\r\n$/m.test(said)) {
        stop()
        resolve(said)
      } else if (said.length > replyMax) over()
    }
    const stop = () => {
      line.off('data', hear)
      line.off('close', over)
    }
    line.on('data', hear)
    line.once('close', over)
    if (line.destroyed) over()
  })
