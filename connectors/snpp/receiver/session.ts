import type { Json } from '../../../core/fact.ts'
import { reply, textOf, type Verb, verbOf } from '../codec.ts'

/** Refused commands after which we say 421 (RFC 1861, the replies of each command). */
const errorsMax = 10
/** Pagers of one message: RFC 1861, 4.5.2, wants at least one; more than this is no page. */
const pagersMax = 16
/** Characters of a text by DATA that are kept: more than is read of it. */
const dataKept = 16_384
/** Characters between DATA and its lone dot after which a client is mad. */
const dataLongest = 262_144

/** A page as the client wants it sent. */
export interface Page {
  readonly pagers: readonly string[]
  readonly text: string
  /** The account, where there is a login. */
  readonly sender: string | undefined
  /** What else it asked for: level, alert, coverage, caller. */
  readonly raw: Json
}

export interface Gateway {
  /** Whether a login is wanted at all. */
  readonly closed: boolean
  mayLogIn(id: string, password: string): boolean
  /** Resolves when the page is on disk. */
  take(page: Page): Promise<void>
  refused(reason: string): void
}

/** What to answer, and whether the conversation ends with it. */
export interface Answer {
  readonly text: string
  readonly end?: true
}

const say = (code: number, text: string): Answer => ({ text: reply(code, text) })
const end = (code: number, text: string): Answer => ({ text: reply(code, text), end: true })

const help = [
  'PAGEr <pager id>',
  'MESSage <text>, or DATA',
  'SEND, RESEt, QUIT',
  'LOGIn <id> [password], LEVEl, ALERt, COVErage, HOLDuntil, CALLerid, SUBJect',
]

/** One client's conversation with us as its paging gateway. Takes one line after the other. */
export class Session {
  readonly #gateway: Gateway
  #account: string | undefined
  #errors = 0
  #pagers: string[] = []
  #text: string | null = null
  #options: Record<string, string> = {}
  #data: { kept: string[]; length: number } | null = null

  constructor(gateway: Gateway) {
    this.#gateway = gateway
  }

  async take(line: string): Promise<Answer> {
    const answer = this.#data ? this.#dataLine(line, this.#data) : await this.#command(line)
    if (!/^[45]/.test(answer.text)) return answer
    this.#errors++
    return this.#errors < errorsMax ? answer : end(421, 'Too Many Errors, Goodbye')
  }

  async #command(line: string): Promise<Answer> {
    const { verb, rest } = verbOf(line)
    switch (verb) {
      case null:
        return say(500, 'Command Not Implemented, Try Again')
      case 'PAGE':
        return this.#pager(rest)
      case 'MESS':
        return this.#message(rest)
      case 'DATA':
        return this.#begin()
      case 'SEND':
        return this.#send()
      case 'LOGI':
        return this.#login(rest)
      case 'RESE':
        this.#clear()
        return say(250, 'RESET OK')
      case 'HELP':
        return { text: help.map((each) => reply(214, each)).join('') + reply(250, 'End of Help Information') }
      case 'QUIT':
        return end(221, 'OK, Goodbye')
      default:
        return this.#option(verb, rest)
    }
  }

  /** A password of the pager may follow its id (RFC 1861, 4.5.1.1): it stays out of everything. */
  #pager(rest: string): Answer {
    const [id = ''] = rest.split(/\s/, 1)
    if (this.#gateway.closed && this.#account === undefined) {
      this.#gateway.refused('a page without LOGIN')
      return say(530, 'Login Required')
    }
    if (id === '') return say(550, 'Error, Invalid Pager ID')
    if (this.#pagers.length >= pagersMax) return say(552, 'Max Recipients Exceeded')
    if (!this.#pagers.includes(id)) this.#pagers.push(textOf(id))
    return say(250, 'Pager ID Accepted')
  }

  #message(text: string): Answer {
    if (this.#text !== null) return say(503, 'Error, Message Already Entered')
    if (text === '') return say(550, 'Error, Invalid Message')
    this.#text = textOf(text)
    return say(250, 'Message OK')
  }

  #begin(): Answer {
    if (this.#text !== null) return say(503, 'Error, Message Already Entered')
    this.#data = { kept: [], length: 0 }
    return say(354, 'Begin Input; End with <CRLF>.<CRLF>')
  }

  #dataLine(line: string, data: { kept: string[]; length: number }): Answer {
    if (line === '.') {
      this.#data = null
      return this.#message(data.kept.join('\n').trim())
    }
    // A line of the text that begins with a dot has one more on the wire, as in SMTP (RFC 1861, 4.5.2.1).
    if (data.length < dataKept) data.kept.push(line.startsWith('.') ? line.slice(1) : line)
    data.length += line.length + 2
    return data.length > dataLongest ? end(421, 'Message Too Long, Goodbye') : { text: '' }
  }

  /** 250 says that it is on disk. 554 leaves the page as it was entered, so that SEND alone asks again (RFC 1861, 4.5.1.4). */
  async #send(): Promise<Answer> {
    const text = this.#text
    if (this.#pagers.length === 0 || text === null) return say(503, 'Error, Pager ID or Message Incomplete')
    const { SUBJ: subject, ...raw } = this.#options
    try {
      await this.#gateway.take({
        pagers: this.#pagers,
        text: subject === undefined ? text : `${subject} ${text}`,
        sender: this.#account,
        raw: { pagers: this.#pagers, ...raw },
      })
    } catch {
      return say(554, 'Message Failed, Send It Again')
    }
    this.#clear()
    return say(250, 'Message Sent Successfully')
  }

  #login(rest: string): Answer {
    const [id = '', password = ''] = rest.split(/\s+/)
    // Where no login is wanted, any is as good.
    if (this.#gateway.closed && !this.#gateway.mayLogIn(id, password)) {
      this.#account = undefined
      this.#gateway.refused('a wrong LOGIN')
      return say(550, 'Error, Invalid LoginID or Password')
    }
    this.#account = textOf(id)
    return say(250, 'Login Accepted')
  }

  /** Nothing of this changes what a press is: HOLDuntil least of all, as no call for help is put off. */
  #option(verb: Verb, rest: string): Answer {
    if (rest === '') return say(550, `Error, Invalid ${verb}`)
    this.#options = { ...this.#options, [verb]: textOf(rest).slice(0, 200) }
    return say(250, 'OK')
  }

  #clear(): void {
    this.#pagers = []
    this.#text = null
    this.#options = {}
  }
}
