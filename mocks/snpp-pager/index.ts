import type { Socket } from 'node:net'
import { type Behaviour, Journal, type Mock } from '../mock.ts'
import { TcpPort } from '../tcp.ts'
import { commandOf, type Page, type Reply, Session } from './session.ts'

/** A line longer than this ends the connection. */
const MAX_LINE = 1_024

/** An odd code, a reply of several lines as SMTP has them, or a reply without any code. */
export type WrongAnswer = 'odd-code' | 'multi-line' | 'no-code'

export interface SnppPagerOptions {
  readonly port?: number
  readonly pagers: readonly string[]
  readonly login?: { readonly id: string; readonly password?: string }
  /** false: a gateway of level 1, which answers 500 to everything above. Default true. */
  readonly level2?: boolean
  /** Where an unknown pager is found out: at PAGE (default) or only at SEND. */
  readonly rejectsAt?: 'page' | 'send'
}

/** A paging gateway that speaks SNPP, RFC 1861. */
export class SnppPager implements Mock {
  readonly host = '127.0.0.1'
  readonly journal = new Journal()
  readonly #options: SnppPagerOptions
  readonly #port = new TcpPort((socket) => this.#talk(socket))
  #unavailable = false
  #busy = false
  #wrong: WrongAnswer = 'odd-code'
  #stop: { readonly command: string | undefined; readonly how: 'drop' | 'hang' } | null = null
  #refusal: NodeJS.Timeout | undefined

  constructor(options: SnppPagerOptions) {
    this.#options = options
  }

  get port(): number {
    return this.#port.port
  }

  get openSockets(): number {
    return this.#port.sockets.size
  }

  listen(): Promise<void> {
    return this.#port.open(this.#options.port)
  }

  /** Slow acts late as well; half-open takes pages and says nothing; garbage is the noise of a bad line. */
  behave(behaviour: Behaviour): void {
    clearTimeout(this.#refusal)
    this.#port.behave(behaviour)
  }

  /**
   * Takes no clients for so many ms, or with true until `refuse(false)`: connections are refused, or with
   * `by: 'greeting'` accepted and sent away with 421.
   */
  refuse(ms: number | boolean, { by = 'connection' }: { by?: 'connection' | 'greeting' } = {}): void {
    clearTimeout(this.#refusal)
    const refusing = ms !== false
    this.#unavailable = refusing && by === 'greeting'
    this.#port.behave({ is: refusing && by === 'connection' ? 'refusing' : 'normal' })
    if (typeof ms === 'number') this.#refusal = setTimeout(() => this.refuse(false), ms)
  }

  /** While busy, the paging terminal takes no page: SEND is answered 554. */
  busy(busy = true): void {
    this.#busy = busy
  }

  /** The next such command ("SEND") is obeyed, but its reply never comes: the line drops or hangs. */
  stopAt(command: string, how: 'drop' | 'hang'): void {
    this.#stop = { command: commandOf(command), how }
  }

  /** Says 421 to everybody who is connected, as at an idle timeout, and hangs up. */
  hangUp(): void {
    for (const socket of this.#port.sockets) socket.end('421 Timeout, Goodbye\r\n')
  }

  /** Chooses what the behaviour `wrong-answer` gives. */
  answerWrong(how: WrongAnswer): void {
    this.#wrong = how
    this.behave({ is: 'wrong-answer' })
  }

  async reboot(awayMs: number): Promise<void> {
    await this.#port.away(awayMs)
  }

  close(): Promise<void> {
    clearTimeout(this.#refusal)
    return this.#port.close()
  }

  #talk(socket: Socket): void {
    if (this.#unavailable) {
      this.#reply(socket, { lines: ['421 Gateway Service Unavailable'], end: true })
      return
    }
    const session = this.#session()
    let received = ''
    this.#port.inItsTime(() => this.#reply(socket, { lines: ['220 SNPP Gateway Ready'] }))
    socket.on('data', (chunk) => {
      const lines = (received + chunk.toString('latin1')).split('\n')
      received = lines.pop() ?? ''
      if ([received, ...lines].some((line) => line.length > MAX_LINE)) return socket.destroy()
      for (const line of lines)
        this.#port.inItsTime(() => this.#line(socket, session, line.replace(/\r$/, '')))
    })
  }

  #session(): Session {
    const { pagers, login, level2 = true, rejectsAt = 'page' } = this.#options
    return new Session({
      pagers: new Set(pagers),
      login,
      level2,
      rejectsAt,
      busy: () => this.#busy,
      page: (page: Page) => this.journal.note('page', { ...page }),
    })
  }

  #line(socket: Socket, session: Session, line: string): void {
    if (session.over) return
    const reply = session.take(line)
    const stop = this.#stop
    if (!stop || reply.lines.length === 0 || commandOf(line) !== stop.command) {
      this.#reply(socket, reply)
      return
    }
    this.#stop = null
    if (stop.how === 'drop') socket.destroy()
  }

  #reply(socket: Socket, { lines, end }: Reply): void {
    const wrong = this.#port.behaviour.is === 'wrong-answer'
    const said = wrong ? lines.map((line) => spoil(line, this.#wrong)) : lines
    if (said.length > 0) this.#port.answer(socket, said.map((line) => `${line}\r\n`).join(''))
    if (end) socket.end()
  }
}

const spoil = (line: string, how: WrongAnswer): string => {
  const code = line.slice(0, 3)
  const text = line.slice(4)
  switch (how) {
    case 'odd-code':
      return `799 ${text}`
    case 'multi-line':
      return `${code}-${text}\r\n${code} ${text}`
    case 'no-code':
      return text
  }
}

/** Starts a paging gateway on loopback; port 0 (default) takes a free one. */
export const startSnppPager = async (options: SnppPagerOptions): Promise<SnppPager> => {
  const pager = new SnppPager(options)
  await pager.listen()
  return pager
}
