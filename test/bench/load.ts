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
   * arrived whole. Returns how many a second did, without those of the first second.
   */
  async kept(atOnce: number, seconds: number, presses: number, complete: () => Promise<number>) {
    const startedAt = now()
    const refusedBefore = this.refused
    const all: Promise<Sent | null>[] = []
    let first = { at: startedAt, complete: 0 }
    let last = first
    while (all.length < presses && last.at < startedAt + 1_000 * seconds) {
      last = { complete: await complete(), at: now() }
      if (last.at < startedAt + 1_000) first = last
      const onTheirWay = all.length - last.complete - (this.refused - refusedBefore)
      const sending = Math.min(presses - all.length, Math.max(0, atOnce - onTheirWay))
      for (let n = 0; n < sending; n++) all.push(this.#press())
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    const perSecond = (last.complete - first.complete) / ((last.at - first.at) / 1_000)
    return { sent: await this.#taken(all), perSecond }
  }

  end(): void {
    this.#agent.destroy()
  }

  async #taken(all: Promise<Sent | null>[]): Promise<Sent[]> {
    const sent = await Promise.all(all)
    return sent.filter((one) => one !== null)
  }

  #press(): Promise<Sent | null> {
    const n = this.#next++
    const body = JSON.stringify({ id: `badge-${n}`, key: `key-${n}`, kind: 'duress' })
    const at = now()
    const headers = { 'content-type': 'application/json', authorization: 'Bearer bench' }
    return new Promise((resolve) => {
      const refuse = () => {
        this.refused++
        resolve(null)
      }
      const options = {
        host: '127.0.0.1',
        port: this.#port,
        method: 'POST',
        path: '/',
        agent: this.#agent,
        headers,
      }
      const posted = request(options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => {
          if (response.statusCode !== 200) return refuse()
          this.acknowledged++
          const { incident: press } = JSON.parse(text) as { incident: string }
          resolve({ press, at, acknowledgedAt: now() })
        })
        // Killed in the middle of its answer.
        response.on('error', refuse)
      })
      posted.on('error', refuse)
      posted.end(body)
    })
  }
}
