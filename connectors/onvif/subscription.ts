import { createPullPoint, type Notice, pullMessages, referenceOf, unsubscribe } from './codec/event.ts'
import { OnvifError } from './codec/fault.ts'
import type { Reference } from './codec/soap.ts'
import type { Device } from './device.ts'

/** A pull point on a device: whoever opens one must end it, since devices have few. */
export class Subscription {
  readonly #device: Device
  readonly #to: { readonly url: URL; readonly reference: Reference | null }

  private constructor(device: Device, to: { readonly url: URL; readonly reference: Reference | null }) {
    this.#device = device
    this.#to = to
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
    return new Subscription(device, { url: device.reach(value.address), reference: referenceOf(text) })
  }

  /** What is new; waits for it at most `timeoutMs`. */
  pull(timeoutMs: number, signal: AbortSignal): Promise<readonly Notice[]> {
    return this.#device.ask(pullMessages(1), { to: this.#to, timeoutMs, signal })
  }

  /** Ends it on the device, as far as that can be reached; never throws. */
  async end(): Promise<void> {
    await this.#device.ask(unsubscribe, { to: this.#to, timeoutMs: 1_000 }).catch(() => {})
  }
}
