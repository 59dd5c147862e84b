import { hash, timingSafeEqual } from 'node:crypto'
import type { Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { SMTPServer, type SMTPServerSession } from 'smtp-server'
import type { Config } from './index.ts'

/** Larger mails are refused whole (552): nothing that sends alarms sends so much, bytes. */
const sizeLongest = 16_777_216
/** A caller may be silent for so long, ms (RFC 5321, 4.5.3.2.7, wants 5 min of a server for strangers). */
const idleMs = 60_000
const recipientsMax = 20
const handshakeMs = 10_000

/** A mail as it came in. */
export interface Delivery {
  readonly sender: string
  readonly recipients: readonly string[]
  /** The first `max-size` bytes. */
  readonly bytes: Buffer
  readonly session: SMTPServerSession
}

export interface Reception {
  /** Whether the address may connect. */
  mayCall(session: SMTPServerSession): boolean
  maySend(sender: string, session: SMTPServerSession): boolean
  /** Resolves when all that the mail says is on disk. */
  take(delivery: Delivery): Promise<void>
  refused(reason: string, fields: object): void
}

/** An error that smtp-server answers with this code. */
const answer = (responseCode: number, text: string): Error => Object.assign(new Error(text), { responseCode })

/** The server of one link, yet to listen. */
export const serverOf = (
  config: Config,
  passwords: ReadonlyMap<string, string>,
  tls: { cert: Buffer; key: Buffer } | undefined,
  reception: Reception,
): Server => {
  const implicit = config.tls?.mode === 'implicit'
  const server = new SMTPServer({
    ...tls,
    // Tells callers neither the name of this machine nor what it runs.
    name: 'duress-bridge',
    secure: implicit,
    secured: implicit,
    disabledCommands: [
      ...(config.tls?.mode === 'starttls' ? [] : ['STARTTLS']),
      ...(passwords.size > 0 ? [] : ['AUTH']),
    ],
    allowInsecureAuth: tls === undefined,
    authOptional: passwords.size === 0,
    disableReverseLookup: true,
    logger: false,
    size: sizeLongest,
    maxRecipients: recipientsMax,
    socketTimeout: idleMs,
    onConnect: (session, callback) => {
      if (reception.mayCall(session)) return void callback()
      reception.refused('a caller that is not in `from`', { address: session.remoteAddress })
      callback(answer(554, 'You may not send here'))
    },
    onAuth: ({ username = '', password }, _session, callback) => {
      const wanted = passwords.get(username)
      if (wanted !== undefined && timingSafeEqual(digest(wanted), digest(password ?? '')))
        return void callback(null, { user: username })
      reception.refused('a wrong login', {})
      callback(answer(535, 'Wrong user or password'))
    },
    onMailFrom: ({ address }, session, callback) => {
      if (reception.maySend(address, session)) return void callback()
      reception.refused('a sender that is not in `senders`', { sender: address.slice(0, 100) })
      callback(answer(550, 'This sender may not send here'))
    },
    onData: (stream, session, callback) => {
      const chunks: Buffer[] = []
      let length = 0
      stream.on('data', (chunk: Buffer) => {
        if (length < config['max-size']) chunks.push(chunk.subarray(0, config['max-size'] - length))
        length += chunk.length
      })
      stream.on('error', () => {})
      stream.on('end', () => {
        if (stream.sizeExceeded) return void callback(answer(552, `At most ${sizeLongest} bytes`))
        const { mailFrom, rcptTo } = session.envelope
        const delivery = {
          sender: mailFrom === false ? '' : mailFrom.address,
          recipients: rcptTo.map(({ address }) => address),
          bytes: Buffer.concat(chunks),
          session,
        }
        reception.take(delivery).then(
          () => callback(null, 'OK'),
          // Not on disk: whoever keeps mail keeps it, and sends it again (RFC 5321, 4.2.1).
          () => callback(answer(451, 'Not recorded, send it again')),
        )
      })
    },
  })
  // A caller that goes away in the middle, or fails at TLS, has sent nothing.
  server.on('error', () => {})
  // TLS from the first byte is done by Node: smtp-server's own crashes the process (a null pointer in Node's TLS) when a
  // socket is destroyed in the middle of its handshake.
  return tls && implicit
    ? createTlsServer({ ...tls, handshakeTimeout: handshakeMs }, (socket) => server.connect(socket))
    : server.server
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer')
