import type { Client } from 'undici'
import { type Ended, Exchange, GivenUp, type Sending } from './exchange.ts'

/**
 * The connections to one server, at most so many, dialled when they are needed; what finds none free waits its turn. undici's
 * pool does as much, but whatever waits there takes an async resource, and two turns of the event loop until it is sent.
 */
export class Connections {
  readonly #make: () => Client
  readonly #max: number
  readonly #all: Client[] = []
  /** What was used last goes first: its server is the least likely to have hung up. */
  readonly #free: Client[] = []
  #waiting: Exchange[] = []
  #isClosed = false

  constructor(max: number, make: () => Client) {
    this.#max = max
    this.#make = make
  }

  /** Sends one request. `wanted`: the body of a success is needed. Never rejects. */
  send(sending: Sending, signal: AbortSignal, wanted: boolean): Promise<Ended> {
    return new Promise((resolve) => {
      if (signal.aborted || this.#isClosed) return resolve(unsent())
      const exchange = new Exchange(sending, signal, wanted, resolve, (client) => this.#released(client))
      const client = this.#free.pop() ?? this.#another()
      if (client) exchange.start(client)
      else this.#waiting.push(exchange)
    })
  }

  /** Ends what is in flight, and sends nothing any more. */
  async destroy(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#all.map((client) => client.destroy()))
  }

  #another(): Client | null {
    if (this.#all.length >= this.#max) return null
    const client = this.#make()
    this.#all.push(client)
    return client
  }

  #released(client: Client): void {
    let next = this.#waiting.shift()
    while (next?.hasEnded) next = this.#waiting.shift()
    if (next) next.start(client)
    else this.#free.push(client)
  }
}

const unsent = (): Ended => ({
  is: 'broken',
  error: new GivenUp('given up before it was sent'),
  started: false,
})
