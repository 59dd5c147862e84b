import { kontakt, type Published } from './payloads.ts'
import { Publisher, type PublisherOptions, type Publishing } from './publisher.ts'

export * as payloads from './payloads.ts'

/** Badges, buttons and their gateways, which publish to a real broker as their vendors' systems do. */
export class Badges {
  readonly #publisher: Publisher
  readonly #clicks = new Map<string, { count: number; at: number | null }>()

  constructor(options: PublisherOptions) {
    this.#publisher = new Publisher(options)
  }

  /** Resolves when the broker has it. */
  say({ topic, body }: Published, how?: Publishing): Promise<void> {
    return this.#publisher.publish(topic, JSON.stringify(body), how)
  }

  /** Bytes of your own, for what no vendor sends. */
  raw(topic: string, payload: string | Buffer, how?: Publishing): Promise<void> {
    return this.#publisher.publish(topic, payload, how)
  }

  /** A click on a Kontakt.io badge, heard by so many gateways, each of which says it so many times. */
  async click(
    tag: string,
    { gateways = ['gw-17'], repeats = 1 }: { gateways?: readonly string[]; repeats?: number } = {},
  ): Promise<void> {
    const clicks = this.#clicks.get(tag) ?? { count: 0, at: null }
    this.#clicks.set(tag, { count: clicks.count + 1, at: Date.now() })
    for (let repeat = 0; repeat < repeats; repeat++) await this.advertise(tag, gateways)
  }

  /** What a Kontakt.io badge says every now and then, pressed or not. */
  async advertise(tag: string, gateways: readonly string[] = ['gw-17']): Promise<void> {
    const { count, at } = this.#clicks.get(tag) ?? { count: 0, at: null }
    const sinceMs = at === null ? null : Date.now() - at
    for (const gateway of gateways) await this.say(kontakt({ tag, gateway, clicks: count, sinceMs }))
  }

  /** A new battery: it counts from 0. */
  newBattery(tag: string): void {
    this.#clicks.delete(tag)
  }

  close(): Promise<void> {
    return this.#publisher.close()
  }
}

export const badgesAt = (options: PublisherOptions): Badges => new Badges(options)
