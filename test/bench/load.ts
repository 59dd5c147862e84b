import { Agent, request } from 'node:http'
import { now } from './process.ts'

/** One press as it went: what it was called afterwards, when it was sent, when it was acknowledged. */
export interface Sent {
  readonly press: string
  readonly at: number
  readonly acknowledgedAt: number
}

/** Presses over HTTP with keep-alive, each on another badge. */
export class Load {
  readonly #port: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })
  #next = 0
  refused = 0

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

  end(): void {
    this.#agent.destroy()
  }

  async #taken(all: Promise<Sent | null>[]): Promise<Sent[]> {
    const sent = await Promise.all(all)
    this.refused += sent.filter((one) => one === null).length
    return sent.filter((one) => one !== null)
  }

  #press(): Promise<Sent | null> {
    const n = this.#next++
    const body = JSON.stringify({ id: `badge-${n}`, key: `key-${n}`, kind: 'duress' })
    const at = now()
    const headers = { 'content-type': 'application/json', authorization: 'Bearer bench' }
    return new Promise((resolve) => {
      const { port } = { port: this.#port }
      const options = { host: '127.0.0.1', port, method: 'POST', path: '/', agent: this.#agent, headers }
      const posted = request(options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => {
          const isTaken = response.statusCode === 200
          const press = isTaken ? (JSON.parse(text) as { incident: string }).incident : ''
          resolve(isTaken ? { press, at, acknowledgedAt: now() } : null)
        })
      })
      posted.on('error', () => resolve(null))
      posted.end(body)
    })
  }
}
