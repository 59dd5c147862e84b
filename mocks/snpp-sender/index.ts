import { connect, type Socket } from 'node:net'

export interface SnppSenderOptions {
  readonly port: number
  readonly login?: { readonly id: string; readonly password?: string }
  /** The address that it calls from, any of 127.0.0.0/8. */
  readonly localAddress?: string
  /** How long it waits for each reply, ms; default 5,000. */
  readonly withinMs?: number
}

/** A page as a nurse-call or locating system sends it. */
export interface Sending {
  readonly pagers: readonly string[]
  readonly text: string
  /** MESS (default), or DATA with several lines. */
  readonly by?: 'message' | 'data'
  readonly subject?: string
  readonly caller?: string
  readonly level?: number
  readonly alert?: 0 | 1
  readonly coverage?: string
  /** YYMMDDHHMMSS, with the hours from GMT behind it. */
  readonly hold?: string
  /** Repeats SEND so often while it is answered 554, on the same connection; default 0. */
  readonly insist?: number
}

/** The last reply: 0 when none came. */
export interface Returned {
  readonly code: number
  readonly text: string
  /** Every reply by its command, in order: "SEND 250". */
  readonly replies: readonly string[]
}

/** A client's line in Latin-1, so that a byte is a character; `text` may hold any bytes then. */
const bytesOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

/** A system that publishes nothing but pages, by SNPP. */
export class SnppSender {
  readonly #options: SnppSenderOptions
  #last: Sending | undefined

  constructor(options: SnppSenderOptions) {
    this.#options = options
  }

  /** One session for one page. Never rejects. */
  async page(sending: Sending): Promise<Returned> {
    this.#last = sending
    const line = new Line(this.#dial(), this.#options.withinMs ?? 5_000)
    const replies: string[] = []
    const say = async (command: string, sent = `${command}\r\n`): Promise<string> => {
      if (command !== '') line.write(sent)
      const reply = await line.reply()
      replies.push(`${command.split(/[\s\r]/, 1)[0]} ${reply.slice(0, 3)}`.trim())
      return reply
    }
    let last = ''
    try {
      for (const command of ['', ...this.#commands(sending)]) {
        last = await say(command)
        if (!/^[23]/.test(last)) break
      }
      for (let more = sending.insist ?? 0; more > 0 && last.startsWith('554'); more--)
        last = await say('SEND')
      line.write('QUIT\r\n')
    } catch {
      last = ''
    } finally {
      line.end()
    }
    return { code: Number(last.slice(0, 3)), text: last.slice(4), replies }
  }

  /** The same page once more, as a sender does that saw no 250. */
  repeat(): Promise<Returned> {
    return this.page(this.#last as Sending)
  }

  #dial(): Socket {
    const { port, localAddress } = this.#options
    return connect({ port, host: '127.0.0.1', ...(localAddress && { localAddress }) })
  }

  /** Every command after the greeting; a text by DATA goes with the dot that ends it, as one. */
  #commands({ pagers, text, by, subject, caller, level, alert, coverage, hold }: Sending): string[] {
    const { login } = this.#options
    const data = bytesOf(text)
      .split('\n')
      .map((each) => (each.startsWith('.') ? `.${each}` : each))
    return [
      ...(login ? [`LOGIN ${login.id} ${login.password ?? ''}`.trim()] : []),
      ...(level === undefined ? [] : [`LEVEL ${level}`]),
      ...(alert === undefined ? [] : [`ALERT ${alert}`]),
      ...(coverage === undefined ? [] : [`COVERAGE ${coverage}`]),
      ...(hold === undefined ? [] : [`HOLDUNTIL ${hold}`]),
      ...pagers.map((id) => `PAGER ${id}`),
      ...(caller === undefined ? [] : [`CALLERID ${caller}`]),
      ...(subject === undefined ? [] : [`SUBJECT ${bytesOf(subject)}`]),
      ...(by === 'data' ? ['DATA', `${data.join('\r\n')}\r\n.`] : [`MESSAGE ${bytesOf(text)}`]),
      'SEND',
    ]
  }
}

/** Lines in and out. */
class Line {
  readonly #socket: Socket
  readonly #withinMs: number
  #received = ''
  #over = false
  #wake: () => void = () => {}

  constructor(socket: Socket, withinMs: number) {
    this.#socket = socket
    this.#withinMs = withinMs
    socket.on('data', (bytes) => {
      this.#received += bytes.toString('latin1')
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#over = true
      this.#wake()
    })
  }

  write(text: string): void {
    if (this.#socket.writable) this.#socket.write(text, 'latin1')
  }

  /** The next line; rejects when none comes. */
  async reply(): Promise<string> {
    const end = performance.now() + this.#withinMs
    while (!this.#received.includes('\r\n')) {
      const left = end - performance.now()
      if (this.#over || left <= 0) throw new Error('no reply')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    const [line = ''] = this.#received.split('\r\n', 1)
    this.#received = this.#received.slice(line.length + 2)
    return line
  }

  end(): void {
    this.#socket.end()
    const timer = setTimeout(() => this.#socket.destroy(), 500)
    this.#socket.once('close', () => clearTimeout(timer))
  }
}

export const snppSender = (options: SnppSenderOptions): SnppSender => new SnppSender(options)
