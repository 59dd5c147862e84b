import { randomOf } from '../simulation/random.ts'
import { isWeapon } from './ground.ts'
import { Posts } from './post.ts'

const answerMs = 4_000
const againMs = 300
/** Whoever finds an incident that nobody ends looks after it, at the latest after this, ms. */
const roundsMs = 5_000
/** An incident whose button fell silent is ended all the same, ms. */
const forgottenMs = 25_000

interface Care {
  /** null: found by a look at the list; it has no button of ours that says when it is over. */
  readonly button: number | null
  since: number
  isEnding: boolean
}

/** Acknowledge, release and resolve by the API, again and again until it is taken. */
export class People {
  readonly #port: number
  readonly #posts = new Posts(16, answerMs)
  readonly #random: () => number
  readonly #cares = new Map<string, Care>()
  #rounds: NodeJS.Timeout | null = null
  #stopped = false
  resolved = 0

  constructor(port: number, seed: number) {
    this.#port = port
    this.#random = randomOf(seed ^ 0x5eed)
  }

  start(): void {
    this.#rounds = setInterval(() => void this.#look(), roundsMs)
  }

  /** Incidents that somebody looks after. */
  get open(): number {
    return this.#cares.size
  }

  heard(incident: string, button: number | null, isLast: boolean): void {
    const known = this.#cares.get(incident)
    const care = known ?? { button, since: Date.now(), isEnding: false }
    if (!known) {
      this.#cares.set(incident, care)
      if (this.#random() < 0.15) void this.#does(incident, 'acknowledge', 200 + 2_000 * this.#random())
    }
    if (isLast) void this.#end(incident, care)
  }

  /** Nobody presses any more: ends all that is open. */
  endAll(): void {
    for (const [id, care] of this.#cares) void this.#end(id, care)
  }

  stop(): void {
    this.#stopped = true
    if (this.#rounds) clearInterval(this.#rounds)
    this.#posts.close()
  }

  async #end(incident: string, care: Care): Promise<void> {
    if (care.isEnding) return
    care.isEnding = true
    if (this.#random() < 0.85) await this.#does(incident, 'acknowledge', 100 + 1_500 * this.#random())
    if (care.button !== null && isWeapon(care.button) && this.#random() < 0.4)
      await this.#does(incident, 'release', 1_500 * this.#random())
    if (this.#random() < 0.3) await this.#does(incident, 'on-scene', 200 * this.#random())
    await this.#does(incident, 'resolve', 100 + 1_500 * this.#random(), { as: 'drill' })
    this.resolved++
    this.#cares.delete(incident)
  }

  /** Taken, or too late for it: an incident that is resolved takes nothing more. */
  async #does(incident: string, what: string, afterMs: number, body: object = {}): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, afterMs))
    while (!this.#stopped) {
      const path = `/v1/incidents/${incident}/${what}`
      const answered = await this.#posts.send(this.#port, path, JSON.stringify(body))
      if (answered && (answered.status < 300 || answered.status === 409)) return
      // Of a press that was answered before the bridge was killed: its file knows it, so this is a violation elsewhere.
      if (answered?.status === 404) return
      await new Promise((resolve) => setTimeout(resolve, againMs))
    }
  }

  async #look(): Promise<void> {
    const answered = await this.#posts.send(this.#port, '/v1/incidents?open=true&limit=100', null)
    if (answered?.status !== 200) return
    const { incidents } = JSON.parse(answered.body) as { incidents: { id: string }[] }
    for (const { id } of incidents) if (!this.#cares.has(id)) this.heard(id, null, false)
    const now = Date.now()
    for (const [id, care] of this.#cares)
      if (!care.isEnding && (care.button === null || now - care.since > forgottenMs)) void this.#end(id, care)
  }
}
