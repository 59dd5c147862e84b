import { randomUUID } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type Mail, written } from './mail.ts'

export type { Mail } from './mail.ts'

export interface MailSenderOptions {
  readonly port: number
  readonly login?: { readonly user: string; readonly password: string }
  /** The certificate is not looked at. */
  readonly tls?: 'starttls' | 'implicit'
  /** The address that it calls from, any of 127.0.0.0/8. */
  readonly localAddress?: string
  /** How long it waits for each reply, ms; default 5,000. */
  readonly withinMs?: number
}

/** The last reply: 0 when none came. */
export interface Returned {
  readonly code: number
  readonly text: string
  /** Every reply by its command, in order: "MAIL 250". */
  readonly replies: readonly string[]
}

/** A system whose only way out is to mail, by SMTP. */
export class MailSender {
  readonly #options: MailSenderOptions
  #last: { mail: Mail; bytes: string } | undefined

  constructor(options: MailSenderOptions) {
    this.#options = options
  }

  /** One session for one mail; `from` is the envelope's too. Never rejects. */
  mail(mail: Mail): Promise<Returned> {
    this.#last = { mail, bytes: written(mail, `<${randomUUID()}@alarms.test>`) }
    return this.repeat()
  }

  /** The same bytes once more, as a mail server does that saw no 250. */
  async repeat(): Promise<Returned> {
    const { mail, bytes } = this.#last as { mail: Mail; bytes: string }
    const { login, tls, withinMs = 5_000 } = this.#options
    const replies: string[] = []
    let last = ''
    let line = new Line(await this.#dial(), withinMs)
    const say = async (command: string): Promise<boolean> => {
      if (command !== '') line.write(`${command}\r\n`)
      last = await line.reply()
      replies.push(`${command.split(/[\s:]/, 1)[0]} ${last.slice(0, 3)}`.trim())
      return /^[23]/.test(last)
    }
    const all = async (commands: readonly string[]): Promise<boolean> => {
      for (const command of commands) if (!(await say(command))) return false
      return true
    }
    try {
      let open = await all(['', 'EHLO alarms.test'])
      if (open && tls === 'starttls') {
        open = await say('STARTTLS')
        if (open) line = new Line(await secured(line.leave()), withinMs)
        open &&= await say('EHLO alarms.test')
      }
      const secret = login && Buffer.from(`\0${login.user}\0${login.password}`).toString('base64')
      open &&= await all([
        ...(secret ? [`AUTH PLAIN ${secret}`] : []),
        `MAIL FROM:<${mail.from ?? 'rtls@alarms.test'}>`,
        ...mail.to.map((to) => `RCPT TO:<${to}>`),
        'DATA',
      ])
      // A line that begins with a dot gets one more (RFC 5321, 4.5.2).
      if (open) await say(`${bytes.replace(/^\./gm, '..')}\r\n.`)
      line.write('QUIT\r\n')
    } catch {
      last = ''
    } finally {
      line.end()
    }
    const names = replies.map((each) => (each.startsWith('From ') ? `. ${each.slice(5)}` : each))
    return { code: Number(last.slice(0, 3)), text: last.slice(4).trim(), replies: names }
  }

  #dial(): Promise<Socket> {
    const { port, localAddress, tls } = this.#options
    const socket = connect({ port, host: '127.0.0.1', ...(localAddress && { localAddress }) })
    socket.on('error', () => {})
    return tls === 'implicit' ? secured(socket) : Promise.resolve(socket)
  }
}

/** Resolves with a socket that is over when TLS could not begin. */
const secured = (socket: Socket): Promise<Socket> =>
  new Promise((resolve) => {
    const tls = connectTls({ socket, rejectUnauthorized: false })
    tls.on('error', () => {})
    tls.once('secureConnect', () => resolve(tls))
    tls.once('close', () => resolve(tls))
  })

/** Replies in, lines out. */
class Line {
  readonly #socket: Socket
  readonly #withinMs: number
  #received = ''
  #wake: () => void = () => {}
  readonly #hear = (bytes: Buffer): void => {
    this.#received += bytes.toString('latin1')
    this.#wake()
  }

  constructor(socket: Socket, withinMs: number) {
    this.#socket = socket
    this.#withinMs = withinMs
    socket.on('data', this.#hear)
    socket.on('close', () => this.#wake())
  }

  /** The socket, for somebody else to read. */
  leave(): Socket {
    this.#socket.off('data', this.#hear)
    return this.#socket
  }

  write(text: string): void {
    if (this.#socket.writable) this.#socket.write(text, 'latin1')
  }

  /** The last line of the next reply, which may have several; rejects when none comes. */
  async reply(): Promise<string> {
    const end = performance.now() + this.#withinMs
    for (;;) {
      const whole = /^(?:\d{3}-.*\r\n)*(\d{3}(?: .*)?)\r\n/.exec(this.#received)
      if (whole) {
        this.#received = this.#received.slice(whole[0].length)
        return whole[1] as string
      }
      const left = end - performance.now()
      if (this.#socket.destroyed || left <= 0) throw new Error('no reply')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  end(): void {
    this.#socket.end()
    const timer = setTimeout(() => this.#socket.destroy(), 500)
    this.#socket.once('close', () => clearTimeout(timer))
  }
}

export const mailSender = (options: MailSenderOptions): MailSender => new MailSender(options)
