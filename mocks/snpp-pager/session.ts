/** How many pagers one message may go to before the gateway says 552 (RFC 1861, 4.5.2). */
const MAX_PAGERS = 16
/** After so many refused commands the gateway says 421 (RFC 1861, every command's list of replies). */
const MAX_ERRORS = 10
/** More than this between DATA and the lone dot ends the connection. */
const MAX_DATA = 16_384

/** A page as it leaves the gateway. */
export interface Page {
  readonly id: string
  readonly text: string
  readonly level?: number
  readonly alert?: boolean
  readonly coverage?: string
  readonly holdUntil?: string
  readonly callerId?: string
  readonly subject?: string
}

export interface Gateway {
  readonly pagers: ReadonlySet<string>
  readonly login: { readonly id: string; readonly password?: string } | undefined
  readonly level2: boolean
  /** Where an unknown pager is found out: at once or when the page is sent; the RFC's PAGEr allows both. */
  readonly rejectsAt: 'page' | 'send'
  busy(): boolean
  page(page: Page): void
}

/** The lines to answer, and whether the connection ends after them. */
export interface Reply {
  readonly lines: readonly string[]
  readonly end?: true
}

const words = [
  'PAGER',
  'MESSAGE',
  'RESET',
  'SEND',
  'QUIT',
  'HELP',
  'DATA',
  'LOGIN',
  'LEVEL',
  'ALERT',
  'COVERAGE',
  'HOLDUNTIL',
  'CALLERID',
  'SUBJECT',
] as const
type Word = (typeof words)[number]

/** The commands of level 1; all others need level 2 (RFC 1861). */
const level1: readonly Word[] = ['PAGER', 'MESSAGE', 'RESET', 'SEND', 'QUIT', 'HELP']

/** Any case, and any length from the four letters that count (RFC 1861 writes them PAGEr, MESSage). */
export const commandOf = (line: string): Word | undefined => {
  const word = line.split(' ', 1)[0]?.toUpperCase() ?? ''
  return word.length < 4 ? undefined : words.find((full) => full.startsWith(word))
}

const ok = (text: string): Reply => ({ lines: [`250 ${text}`] })

/** One client's conversation with the paging gateway. */
export class Session {
  /** The connection ends, what still comes is not heard. */
  over = false
  readonly #gateway: Gateway
  #loggedIn: boolean
  #errors = 0
  #options: Partial<Page> = {}
  #pages: (Partial<Page> & { readonly id: string })[] = []
  #message: { text?: string; callerId?: string; subject?: string } = {}
  #data: string[] | null = null

  constructor(gateway: Gateway) {
    this.#gateway = gateway
    this.#loggedIn = gateway.login === undefined
  }

  /** Takes one line without its end; nothing is answered to a line of message text. */
  take(line: string): Reply {
    const reply = this.#data ? this.#text(line, this.#data) : this.#patient(this.#command(line))
    this.over = reply.end === true
    return reply
  }

  #patient(reply: Reply): Reply {
    if (/^[45]/.test(reply.lines.at(-1) ?? '')) this.#errors++
    return this.#errors < MAX_ERRORS ? reply : { lines: ['421 Too Many Errors, Goodbye'], end: true }
  }

  #command(line: string): Reply {
    const command = commandOf(line)
    const rest = line.includes(' ') ? line.slice(line.indexOf(' ') + 1).trim() : ''
    const known = command && (this.#gateway.level2 || level1.includes(command) || this.#logsIn(command))
    if (!known) return { lines: ['500 Command Not Implemented'] }
    switch (command) {
      case 'PAGER':
        return this.#pager(rest)
      case 'MESSAGE':
        return this.#says(rest)
      case 'DATA':
        return this.#opens()
      case 'SEND':
        return this.#send()
      case 'LOGIN':
        return this.#login(rest)
      case 'RESET':
        this.#clear()
        return ok('RESET OK')
      case 'HELP':
        return { lines: [...words.map((word) => `214 ${word}`), '250 End of Help Information'] }
      case 'QUIT':
        return { lines: ['221 OK, Goodbye'], end: true }
      default:
        return this.#option(command, rest)
    }
  }

  #logsIn(command: Word): boolean {
    return command === 'LOGIN' && this.#gateway.login !== undefined
  }

  #pager(rest: string): Reply {
    const id = rest.split(' ', 1)[0] ?? ''
    if (!this.#loggedIn) return { lines: ['530 Login Required'] }
    if (!this.#gateway.level2 && this.#pages.length > 0) return { lines: ['503 Pager ID Already Entered'] }
    if (this.#pages.length >= MAX_PAGERS) return { lines: ['552 Max Recipients Exceeded'] }
    const known = this.#gateway.pagers.has(id)
    const options = this.#options
    this.#options = {}
    if (id === '' || (!known && this.#gateway.rejectsAt === 'page'))
      return { lines: ['550 Invalid Pager ID'] }
    this.#pages.push({ ...options, id })
    return ok('Pager ID Accepted')
  }

  #says(text: string): Reply {
    if (this.#message.text !== undefined) return { lines: ['503 Message Already Entered'] }
    if (text === '') return { lines: ['550 Invalid Message'] }
    this.#message.text = text
    return ok('Message OK')
  }

  #opens(): Reply {
    if (this.#message.text !== undefined) return { lines: ['503 Message Already Entered'] }
    this.#data = []
    return { lines: ['354 Begin Input; End with <CRLF>.<CRLF>'] }
  }

  /** A line that starts with a dot carries one dot more on the wire (as in RFC 821, 4.5.2). */
  #text(line: string, data: string[]): Reply {
    if (line !== '.') {
      data.push(line.startsWith('.') ? line.slice(1) : line)
      const size = data.reduce((sum, each) => sum + each.length, 0)
      return size > MAX_DATA ? { lines: [], end: true } : { lines: [] }
    }
    this.#data = null
    if (data.length === 0) return { lines: ['550 Invalid Message'] }
    this.#message.text = data.join('\n')
    return ok('Message OK')
  }

  #send(): Reply {
    const { text } = this.#message
    if (this.#pages.length === 0 || text === undefined)
      return { lines: ['503 Pager ID or Message Incomplete'] }
    if (this.#gateway.busy()) return { lines: ['554 Message Failed, Terminal Busy'] }
    if (this.#pages.some(({ id }) => !this.#gateway.pagers.has(id))) {
      this.#clear()
      return { lines: ['550 Failed, Illegal Pager ID'] }
    }
    for (const page of this.#pages) this.#gateway.page({ ...page, ...this.#message, text })
    this.#clear()
    return ok('Message Sent Successfully')
  }

  #login(rest: string): Reply {
    const { login } = this.#gateway
    const [id, password] = rest.split(' ')
    this.#loggedIn = !login || (id === login.id && (password ?? '') === (login.password ?? ''))
    return this.#loggedIn ? ok('Login Accepted') : { lines: ['550 Invalid LoginID or Password'] }
  }

  /** What a command sets for the next PAGEr, and for the message. */
  #option(command: Word, rest: string): Reply {
    const invalid = { lines: [`550 Invalid ${command}`] }
    if (rest === '') return invalid
    switch (command) {
      case 'LEVEL':
        if (!/^([0-9]|1[01])$/.test(rest)) return invalid
        this.#options = { ...this.#options, level: Number(rest) }
        return ok('Alternate Service Level Accepted')
      case 'ALERT':
        if (rest !== '0' && rest !== '1') return invalid
        this.#options = { ...this.#options, alert: rest === '1' }
        return ok('Alert Override Accepted')
      case 'HOLDUNTIL':
        if (!/^\d{12}( [+-]?\d{1,4})?$/.test(rest)) return invalid
        this.#options = { ...this.#options, holdUntil: rest }
        return ok('Delayed Messaging Selected')
      case 'COVERAGE':
        this.#options = { ...this.#options, coverage: rest }
        return ok('Alternate Coverage Selected')
      case 'CALLERID':
        this.#message.callerId = rest
        return ok('Caller ID Accepted')
      default:
        this.#message.subject = rest
        return ok('Message Subject Accepted')
    }
  }

  #clear(): void {
    this.#options = {}
    this.#pages = []
    this.#message = {}
  }
}
