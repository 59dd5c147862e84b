import { z } from 'zod'
import type { Json } from '../../core/fact.ts'
import {
  createPullPoint,
  type Notice,
  pullMessages,
  referenceOf,
  renew,
  setSynchronizationPoint,
  unsubscribe,
} from './codec/event.ts'
import { OnvifError } from './codec/fault.ts'
import type { Reference } from './codec/soap.ts'
import type { Device } from './device.ts'

/** What is kept of a pull point, so that another life of ours finds it again with all that waits in it. */
export const Kept = z.object({
  /** As the device gave it. */
  address: z.string().max(2_000),
  reference: z.object({ xml: z.string().max(4_000), prefixes: z.record(z.string(), z.string()) }).nullable(),
})
export type Kept = z.infer<typeof Kept>

/** A pull point on a device: whoever opens one must end it, since devices have few. */
export class Subscription {
  /** How long it lives if nobody renews it, ms. */
  lifeMs: number
  readonly #device: Device
  readonly #address: string
  readonly #to: { readonly url: URL; readonly reference: Reference | null }
  readonly #seconds: number

  constructor(
    device: Device,
    { address, reference, seconds }: { address: string; reference: Reference | null; seconds: number },
  ) {
    this.#device = device
    this.#address = address
    this.#to = { url: device.reach(address), reference }
    this.#seconds = seconds
    this.lifeMs = seconds * 1_000
  }

  /** `seconds`: when the device ends it by itself. Devices that can't filter give everything. */
  static async open(
    device: Device,
    topic: string,
    seconds: number,
    signal: AbortSignal,
  ): Promise<Subscription> {
    const ask = (filter: string | null) => device.askRaw(createPullPoint(filter, seconds), { signal })
    const { value, text } = await ask(topic).catch((error: unknown) => {
      if (error instanceof OnvifError && ['REFUSED', 'NOT_FOUND'].includes(error.code)) return ask(null)
      throw error
    })
    const made = new Subscription(device, { address: value.address, reference: referenceOf(text), seconds })
    made.#grant(value.lifeMs)
    return made
  }

  /** One that an earlier life left behind; whether the device still knows it shows when it is asked. */
  static again(device: Device, { address, reference }: Kept, seconds: number): Subscription {
    const prefixes = new Map(Object.entries(reference?.prefixes ?? {}))
    return new Subscription(device, {
      address,
      reference: reference && { xml: reference.xml, prefixes },
      seconds,
    })
  }

  get kept(): Json {
    const { reference } = this.#to
    return {
      address: this.#address,
      reference: reference && { xml: reference.xml, prefixes: Object.fromEntries(reference.prefixes) },
    }
  }

  /** What is new; waits `waitSeconds` for it at the device, and `timeoutMs` for the answer. */
  pull(timeoutMs: number, signal: AbortSignal, waitSeconds = 1): Promise<readonly Notice[]> {
    return this.#device.ask(pullMessages(waitSeconds), { to: this.#to, timeoutMs, signal })
  }

  /** Has it live on. */
  async renew(signal: AbortSignal): Promise<void> {
    this.#grant(await this.#device.ask(renew(this.#seconds), { to: this.#to, signal }))
  }

  /** Has the device put the state of all its properties into it. */
  synchronize(signal: AbortSignal): Promise<void> {
    return this.#device.ask(setSynchronizationPoint, { to: this.#to, signal })
  }

  /** Ends it on the device, as far as that can be reached; never throws. */
  async end(timeoutMs = 1_000): Promise<void> {
    await this.#device.ask(unsubscribe, { to: this.#to, timeoutMs }).catch(() => {})
  }

  #grant(lifeMs: number | null): void {
    this.lifeMs = Math.min(lifeMs ?? Number.POSITIVE_INFINITY, this.#seconds * 1_000)
  }
}
