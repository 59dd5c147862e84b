import type { Json } from '../core/fact.ts'

/**
 * How a mock device behaves from now on:
 * normal · slow (each answer comes late) · refusing (connections are refused) · half-open (takes requests, never answers) ·
 * garbage (answers bytes that are no protocol) · wrong-answer (well-formed, but not the answer to what was asked).
 */
export type Behaviour =
  | { readonly is: 'normal' | 'refusing' | 'half-open' | 'garbage' | 'wrong-answer' }
  | { readonly is: 'slow'; readonly ms: number }

/** Something that a mock device was asked to do. */
export interface Received {
  /** Date.now() at its arrival. */
  readonly at: number
  /** In the device's own words: "LockDownDoor", "write coil", "page". */
  readonly what: string
  readonly detail: { readonly [name: string]: Json | undefined }
}

interface Waiting {
  readonly what: string
  readonly match: (detail: Received['detail']) => boolean
  readonly resolve: (received: Received) => void
}

/** What a mock has received, and the expectation API over it: what nobody expected fails the test. */
export class Journal {
  readonly all: Received[] = []
  #unclaimed: Received[] = []
  #waiting: Waiting[] = []
  #listeners: ((received: Received) => void)[] = []
  #allowed = new Set<string>()

  /** Called by the mock for each act that it is asked for. */
  note(what: string, detail: Received['detail'] = {}): void {
    const received = { at: Date.now(), what, detail }
    this.all.push(received)
    for (const listener of this.#listeners) listener(received)
    const index = this.#waiting.findIndex((waiting) => waiting.what === what && waiting.match(detail))
    if (index >= 0) this.#waiting.splice(index, 1)[0]?.resolve(received)
    else if (!this.#allowed.has(what)) this.#unclaimed.push(received)
  }

  /** Acts of these names need no expectation: readings, log-ins. */
  allow(...whats: string[]): void {
    for (const what of whats) this.#allowed.add(what)
    this.#unclaimed = this.#unclaimed.filter((received) => !this.#allowed.has(received.what))
  }

  listen(listener: (received: Received) => void): void {
    this.#listeners.push(listener)
  }

  /** The next act of this name that fits, past or to come; rejects after `withinMs` and says what came instead. */
  expect(
    what: string,
    match: (detail: any) => boolean = () => true,
    { withinMs = 5_000 }: { withinMs?: number } = {},
  ): Promise<Received> {
    const index = this.#unclaimed.findIndex((received) => received.what === what && match(received.detail))
    if (index >= 0) return Promise.resolve(this.#unclaimed.splice(index, 1)[0] as Received)
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        what,
        match,
        resolve: (received) => {
          clearTimeout(timer)
          resolve(received)
        },
      }
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(
          new Error(
            `expected ${what} within ${withinMs} ms, but received ${this.#list(this.all.slice(-10))}`,
          ),
        )
      }, withinMs)
      this.#waiting.push(waiting)
    })
  }

  /** Throws when anything came that nobody expected. */
  verify(): void {
    if (this.#unclaimed.length > 0) throw new Error(`unexpected: ${this.#list(this.#unclaimed)}`)
  }

  count(what: string): number {
    return this.all.filter((received) => received.what === what).length
  }

  #list(received: readonly Received[]): string {
    return received.map(({ what, detail }) => `${what} ${JSON.stringify(detail)}`).join(', ') || 'nothing'
  }
}

/** A device on loopback that speaks its real protocol. */
export interface Mock {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly journal: Journal
  behave(behaviour: Behaviour): void
  /** Drops all connections, is away for `awayMs`, and comes back on the same port as after power-up. */
  reboot(awayMs: number): Promise<void>
  close(): Promise<void>
}
