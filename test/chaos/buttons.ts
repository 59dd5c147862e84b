import { createHmac } from 'node:crypto'
import { oneOf, randomOf } from '../simulation/random.ts'
import { webhookButtons } from './ground.ts'
import { Posts } from './post.ts'
import type { Recorder } from './record.ts'

/** A button never presses faster than this: above ten a second the bridge counts instead of recording, ms. */
const apartMs = 115
/** A panel waits so long for its answer, and so long before it tries again, ms. */
const answerMs = 4_000
const againMs = [100, 200, 400, 800] as const
/** The rate is reached little by little: nobody presses everywhere in the second after the program has started, ms. */
const warmUpMs = 4_000
/** A button that has been dealt with is left alone for so long, ms. */
const restMs = 300

export interface Pressing {
  readonly port: number
  readonly secret: string
  readonly seed: number
  /** All presses together, and how many of them a second. */
  readonly presses: number
  readonly perSecond: number
  /** How many presses an incident has on average. */
  readonly anIncident: number
}

interface Button {
  readonly n: number
  /** Presses that its incident is still to have; 0: nobody presses it now. */
  left: number
  busy: boolean
  readyAt: number
}

/** Presses by webhook, as a good panel sends them: signed, with a key, again and again until a 2xx. */
export class Buttons {
  readonly #how: Pressing
  readonly #record: Recorder
  readonly #posts = new Posts(64, answerMs)
  readonly #random: () => number
  readonly #buttons: readonly Button[]
  readonly #heard: (incident: string, button: number, isLast: boolean) => void
  #startedAt = 0
  #timer: NodeJS.Timeout | null = null
  issued = 0
  acked = 0
  /** Answers that were no 2xx, and none at all. */
  refused = 0
  unanswered = 0

  /** `heard` is told of the incident of each press, and whether the button presses for it no more. */
  constructor(
    how: Pressing,
    record: Recorder,
    heard: (incident: string, button: number, isLast: boolean) => void,
  ) {
    this.#how = how
    this.#record = record
    this.#heard = heard
    this.#random = randomOf(how.seed)
    this.#buttons = Array.from({ length: webhookButtons }, (_, n) => ({
      n,
      left: 0,
      busy: false,
      readyAt: 0,
    }))
  }

  start(): void {
    this.#startedAt = performance.now()
    this.#timer = setInterval(() => this.#tick(), 5)
  }

  get isOver(): boolean {
    return this.acked >= this.#how.presses
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#posts.close()
  }

  #tick(): void {
    const now = performance.now()
    const { presses, perSecond } = this.#how
    const sinceMs = now - this.#startedAt
    const full = sinceMs < warmUpMs ? sinceMs ** 2 / (2 * warmUpMs) : sinceMs - warmUpMs / 2
    const due = Math.min(presses, Math.floor((full * perSecond) / 1_000))
    if (this.issued >= due) return
    const ready = this.#buttons.filter((button) => !button.busy && button.readyAt <= now)
    const pressed = ready.filter(({ left }) => left > 0)
    const idle = ready.filter(({ left }) => left === 0)
    /** So many are pressed at a time that the rate can be held without any of them chattering. */
    const wanted = Math.ceil(perSecond / 6) + 2
    let live = this.#buttons.filter(({ left, busy }) => left > 0 || busy).length
    while (this.issued < due) {
      const button =
        pressed.pop() ?? (live < wanted && idle.length > 0 ? oneOf(this.#random, idle) : undefined)
      if (!button) return
      if (button.left === 0) {
        idle.splice(idle.indexOf(button), 1)
        live++
        button.left = 1 + Math.floor(this.#random() * 2 * (this.#how.anIncident - 1) + 0.5)
      }
      void this.#press(button, this.issued++)
    }
  }

  async #press(button: Button, n: number): Promise<void> {
    button.busy = true
    button.left--
    const firstAt = Date.now()
    const body = JSON.stringify({ id: `b${button.n}` })
    const signature = createHmac('sha256', this.#how.secret).update(body).digest('hex')
    const headers = { 'x-hub-signature-256': `sha256=${signature}`, 'idempotency-key': `p-${n}` }
    for (let sends = 1; ; sends++) {
      const sentAt = Date.now()
      const answered = await this.#posts.send(this.#how.port, '/press', body, headers)
      if (answered && answered.status >= 200 && answered.status < 300) {
        const { id, incident, duplicate } = JSON.parse(answered.body)
        this.acked++
        const times = { firstAt, sentAt, ackedAt: Date.now() }
        this.#record.press({
          n,
          button: button.n,
          ...times,
          sends,
          event: id,
          incident,
          duplicate: Number(duplicate),
        })
        this.#answered(button, incident)
        return
      }
      if (answered) this.refused++
      else this.unanswered++
      await new Promise((resolve) => setTimeout(resolve, againMs[Math.min(sends, againMs.length) - 1]))
    }
  }

  #answered(button: Button, incident: string): void {
    button.busy = false
    button.readyAt = performance.now() + (button.left > 0 ? apartMs : restMs)
    if (this.issued >= this.#how.presses) button.left = 0
    this.#heard(incident, button.n, button.left === 0)
  }
}
