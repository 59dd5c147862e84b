import { connect, type Socket } from 'node:net'
import { now } from './process.ts'
import { Cutter, type Whole } from './wire.ts'

/** One press as it went: what it was called afterwards, when it was sent, when it was acknowledged. */
export interface Sent {
  readonly press: string
  readonly at: number
  readonly acknowledgedAt: number
}

/** As many presses are on the wire at a time; the others wait. */
const connectionsMax = 64

/** Until the presses that are kept on their way are, ms. */
const startingMs = 300

/** How often the targets are asked how many are complete: more often, and the asking takes a share of the machine, ms. */
const askAgainMs = 10

/** Presses over HTTP, on connections that stay, each on another badge. */
export class Load {
  readonly #port: number
  readonly #connections = new Set<Connection>()
  readonly #free: Connection[] = []
  readonly #waiting: Asking[] = []
  #next = 0
  refused = 0
  acknowledged = 0

  constructor(port: number) {
    this.#port = port
  }

  /** `rate` presses a second for `seconds`, sent when they are due whatever became of those before. */
  async steady(rate: number, seconds: number): Promise<Sent[]> {
    const startedAt = now()
    const all: Promise<Sent | null>[] = []
    const total = Math.round(rate * seconds)
    await new Promise<void>((resolve) => {
      const tick = () => {
        const due = Math.min(total, Math.floor(((now() - startedAt) * rate) / 1_000) + 1)
        while (all.length < due) all.push(this.#press())
        if (all.length < total) setTimeout(tick, 1)
        else resolve()
      }
      tick()
    })
    return this.#taken(all)
  }

  /** All at once. */
  async storm(presses: number): Promise<Sent[]> {
    return this.#taken(Array.from({ length: presses }, () => this.#press()))
  }

  /**
   * Keeps `atOnce` presses on their way, for `seconds` or until `presses` are sent; `complete` tells how many have
   * arrived whole. Also returns how many did, and in which time, from when they were on their way on.
   */
  async kept(atOnce: number, seconds: number, presses: number, complete: () => Promise<number>) {
    const startedAt = now()
    const refusedBefore = this.refused
    const all: Promise<Sent | null>[] = []
    let first = { at: startedAt, complete: 0 }
    let last = first
    while (all.length < presses && last.at < startedAt + 1_000 * seconds) {
      last = { complete: await complete(), at: now() }
      if (last.at < startedAt + startingMs) first = last
      const onTheirWay = all.length - last.complete - (this.refused - refusedBefore)
      const sending = Math.min(presses - all.length, Math.max(0, atOnce - onTheirWay))
      for (let n = 0; n < sending; n++) all.push(this.#press())
      await new Promise((resolve) => setTimeout(resolve, askAgainMs))
    }
    const sent = await this.#taken(all)
    return { sent, complete: last.complete - first.complete, ms: last.at - first.at }
  }

  end(): void {
    for (const connection of this.#connections) connection.end()
  }

  async #taken(all: Promise<Sent | null>[]): Promise<Sent[]> {
    const sent = await Promise.all(all)
    return sent.filter((one) => one !== null)
  }

  #press(): Promise<Sent | null> {
    const n = this.#next++
    const body = JSON.stringify({ id: `badge-${n}`, key: `key-${n}`, kind: 'duress' })
    const at = now()
    return new Promise((resolve) => {
      const answered = (whole: Whole | null) => {
        if (!whole?.head.startsWith('HTTP/1.1 200 ')) {
          this.refused++
          return resolve(null)
        }
        this.acknowledged++
        const { incident: press } = JSON.parse(whole.body) as { incident: string }
        resolve({ press, at, acknowledgedAt: now() })
      }
      this.#ask({ body, answered })
    })
  }

  #ask(asking: Asking): void {
    const free = this.#free.pop()
    if (free) free.ask(asking)
    else if (this.#connections.size < connectionsMax) this.#connect().ask(asking)
    else this.#waiting.push(asking)
  }

  #connect(): Connection {
    const connection = new Connection(this.#port, {
      free: () => {
        const next = this.#waiting.shift()
        if (next) connection.ask(next)
        else this.#free.push(connection)
      },
      gone: () => {
        this.#connections.delete(connection)
        const at = this.#free.indexOf(connection)
        if (at >= 0) this.#free.splice(at, 1)
        const next = this.#waiting.shift()
        if (next) this.#ask(next)
      },
    })
    this.#connections.add(connection)
    return connection
  }
}

interface Asking {
  readonly body: string
  /** null: the connection was refused, or lost before the answer was whole. */
  answered(whole: Whole | null): void
}

/** One press at a time. */
class Connection {
  readonly #socket: Socket
  readonly #head: string
  #asking: Asking | null = null

  constructor(port: number, told: { free(): void; gone(): void }) {
    const cutter = new Cutter()
    this.#head = `POST / HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\nauthorization: Bearer bench\r\n`
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', (bytes) => {
      for (const whole of cutter.take(bytes)) {
        this.#answered(whole)
        told.free()
      }
    })
    this.#socket.on('error', () => {})
    this.#socket.once('close', () => {
      told.gone()
      this.#answered(null)
    })
  }

  ask(asking: Asking): void {
    this.#asking = asking
    this.#socket.write(`${this.#head}content-length: ${asking.body.length}\r\n\r\n${asking.body}`)
  }

  end(): void {
    this.#socket.destroy()
  }

  #answered(whole: Whole | null): void {
    const asking = this.#asking
    this.#asking = null
    asking?.answered(whole)
  }
}
