import { BridgeError, messageOf } from '../error.ts'
import {
  evidenceMax,
  type FromThread,
  factMax,
  type Item,
  type Level,
  type Reply,
  received,
} from './thread-message.ts'

/** Questions to the bridge that may be open at a time; presses beyond it are refused, and come again. */
const asksMax = 1_000
/** Log lines that wait; the rest is counted. */
const linesMax = 100
/** From so many items on a note goes into the last one of its device, whatever was said between. */
const crowded = 5_000
/** A batch is as large, characters and bytes, so that the bridge is never long at one. */
const batchMax = 1_048_576
/** A log line, characters. */
const lineMax = 4_096
const textMax = 500

type Ask = Extract<Item, { readonly id: number }>
type Asked = Ask extends infer One ? (One extends Ask ? Omit<One, 'id'> : never) : never

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/**
 * What a link says, on its way out of its thread: gathered, and sent one batch after the other, the next when the bridge
 * has taken the last. So a link that says more than the bridge will hear fills its own memory, and no other's.
 */
export class Outgoing {
  readonly #post: (message: FromThread) => void
  readonly #asked = new Map<number, Waiting>()
  readonly #notes = new Map<string, number>()
  #items: Item[] = []
  #ids = 0
  #lines = 0
  #unsaid = 0
  #heard = false
  #away = false
  #due = false

  constructor(post: (message: FromThread) => void) {
    this.#post = post
  }

  /** Resolves with what the bridge answers. */
  ask(asked: Asked): Promise<any> {
    if (this.#asked.size >= asksMax)
      return Promise.reject(new BridgeError('TOO_BUSY', `${asksMax} questions of this link are unanswered`))
    const id = ++this.#ids
    if (this.#items.length < crowded) this.#notes.clear()
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject })
      this.#say({ ...asked, id } as Ask)
    })
  }

  replied(id: number, reply: Reply): void {
    const waiting = this.#asked.get(id)
    this.#asked.delete(id)
    if ('error' in reply) waiting?.reject(received(reply.error))
    else waiting?.resolve(JSON.parse(reply.json))
  }

  /** The newest of a device wins, but for what another note does not say. */
  note(device: string, state: object): void {
    const at = this.#notes.get(device)
    const last = at === undefined ? undefined : this.#items[at]
    const known = last?.is === 'note' ? JSON.parse(last.json) : {}
    let json: string
    try {
      json = textOf({ ...known, ...state }, 'a note', factMax)
    } catch (error) {
      return void this.log('warn', { device: String(device), error: messageOf(error) }, 'a note is left out')
    }
    if (at !== undefined) this.#items[at] = { is: 'note', device, json }
    else {
      this.#notes.set(device, this.#items.length)
      this.#say({ is: 'note', device, json })
    }
  }

  heard(): void {
    if (this.#heard) return
    this.#heard = true
    this.#say({ is: 'heard' })
  }

  log(level: Level, fields: object, text: string): void {
    if (this.#lines >= linesMax) return void this.#unsaid++
    this.#lines++
    this.#say({ is: 'log', level, json: lineOf(fields), text: String(text).slice(0, textMax) })
  }

  keep(bytes: Uint8Array, about: { mediaType: string; capturedAt: number }): Promise<string> {
    if (bytes.length > evidenceMax)
      return Promise.reject(new BridgeError('TOO_LARGE', `evidence of more than ${evidenceMax} bytes`))
    return this.ask({ is: 'keep', bytes, about })
  }

  /** The bridge has taken the last batch. */
  taken(): void {
    this.#away = false
    if (this.#items.length > 0) this.#send()
  }

  #say(item: Item): void {
    this.#items.push(item)
    if (this.#away || this.#due) return
    this.#due = true
    // What is said in one turn goes in one batch.
    queueMicrotask(() => {
      this.#due = false
      if (!this.#away && this.#items.length > 0) this.#send()
    })
  }

  #send(): void {
    let size = 0
    const rest = this.#items.findIndex((item, index) => {
      size += sizeOf(item)
      return index > 0 && size > batchMax
    })
    const items = rest < 0 ? this.#items : this.#items.slice(0, rest)
    this.#items = rest < 0 ? [] : this.#items.slice(rest)
    this.#notes.clear()
    this.#heard = false
    this.#lines = this.#items.filter(({ is }) => is === 'log').length
    if (this.#unsaid > 0 && rest < 0) {
      const text = `${this.#unsaid} more log lines of this link are left out`
      items.push({ is: 'log', level: 'warn', json: '{}', text })
      this.#unsaid = 0
    }
    this.#away = true
    this.#post({ is: 'batch', items })
  }
}

/** Json as text; throws for whatever isn't Json, and for what is too large. */
export const textOf = (value: unknown, what: string, max: number): string => {
  let text: string | undefined
  try {
    text = JSON.stringify(value, onlyJson)
  } catch (error) {
    throw new BridgeError('CRASHED', `${what} is not Json: ${messageOf(error).split('\n', 1)[0]}`)
  }
  if (text === undefined) throw new BridgeError('CRASHED', `${what} is not Json: ${typeof value}`)
  if (text.length > max)
    throw new BridgeError('CRASHED', `${what} is too large: ${text.length} characters of at most ${max}`)
  return text
}

const onlyJson = (key: string, value: unknown): unknown => {
  if (typeof value === 'function' || typeof value === 'symbol')
    throw new TypeError(`\`${key}\` is a ${typeof value}`)
  return value
}

/** A line of the log is never worth an error. */
const lineOf = (fields: object): string => {
  try {
    return textOf(fields, 'a log line', lineMax)
  } catch (error) {
    return JSON.stringify({ fields: messageOf(error) })
  }
}

const sizeOf = (item: Item): number =>
  'json' in item ? item.json.length + 50 : item.is === 'keep' ? item.bytes.length : 50
