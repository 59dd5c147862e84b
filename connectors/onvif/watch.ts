import { sleep } from '../../core/clock.ts'
import type { Context } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import type { Device } from './device.ts'
import type { Doors } from './door.ts'

export interface Watched {
  readonly device: Device
  readonly doors: Doors
  /** Device name to door token. */
  readonly doorTokens: ReadonlyMap<string, string>
  /** Names of the devices that are as fresh as the link itself: cameras and relays. */
  readonly others: readonly string[]
  /** Whether something of a device, named by its name, can't be told at the moment. */
  isUnknown(name: string): boolean
  readonly pollMs: number
}

/** A clock further off than this is worth a line in the log, ms; what we sign allows for it anyway. */
const offWarnMs = 5_000

/** Keeps looking whether the device is there and how its doors are; resolves with the reason once it is gone. */
export const watch = async (watched: Watched, ctx: Context, closing: AbortSignal): Promise<unknown> => {
  const round = new Round(watched, ctx)
  for (let failures = 0; ; ) {
    await sleep(ctx.clock, failures === 0 ? watched.pollMs : Math.min(watched.pollMs, 1_000), closing)
    if (closing.aborted) return new BridgeError('LINK_DOWN', 'closed')
    try {
      await round.run(closing)
      failures = 0
    } catch (error) {
      // Once may be a lost packet or a moment of load; twice is gone.
      if (++failures === 2) return error
    }
  }
}

/** One look at everything. */
export class Round {
  readonly #watched: Watched
  readonly #ctx: Context
  readonly #unread = new Set<string>()
  #warned = false

  constructor(watched: Watched, ctx: Context) {
    this.#watched = watched
    this.#ctx = ctx
  }

  /** Throws when the device can't be reached, or none of its doors can be read. */
  async run(signal: AbortSignal): Promise<void> {
    const { device } = this.#watched
    const moved = await device.measureClock(signal)
    if (moved > 1_000)
      this.#ctx.log.info(
        { host: device.host, offsetMs: device.offsetMs },
        'the clock of the device has jumped',
      )
    await this.note(signal)
  }

  /** Notes every device of the link; what can't be read is unknown. */
  async note(signal: AbortSignal): Promise<void> {
    const { device, doorTokens, others, isUnknown } = this.#watched
    const clockOffsetMs = device.offsetMs
    this.#warnOfClock(clockOffsetMs)
    if (signal.aborted) return
    for (const name of others) if (!isUnknown(name)) this.#ctx.note(name, { quality: 'good', clockOffsetMs })
    const queue = doorTokens[Symbol.iterator]()
    // Two at a time: a door whose reading hangs must not make the others stale.
    const [one, two] = await Promise.all([this.#readFrom(queue, signal), this.#readFrom(queue, signal)])
    const errors = [...one, ...two]
    if (errors.length > 0 && errors.length === doorTokens.size) throw errors[0]
  }

  async #readFrom(queue: Iterable<[string, string]>, signal: AbortSignal): Promise<readonly unknown[]> {
    const errors: unknown[] = []
    for (const [name, token] of queue)
      try {
        await this.#watched.doors.read(token, signal)
        this.#unread.delete(name)
        if (!signal.aborted && !this.#watched.isUnknown(name))
          this.#ctx.note(name, { quality: 'good', clockOffsetMs: this.#watched.device.offsetMs })
      } catch (error) {
        errors.push(error)
        if (!signal.aborted) this.#unreadable(name, token, error)
      }
    return errors
  }

  #unreadable(name: string, token: string, error: unknown): void {
    this.#ctx.note(name, { quality: 'unknown' })
    if (this.#unread.has(name)) return
    this.#unread.add(name)
    this.#ctx.log.warn({ device: name, token, why: messageOf(error) }, 'a door cannot be read')
  }

  #warnOfClock(offsetMs: number): void {
    const off = Math.abs(offsetMs) > offWarnMs
    if (off && !this.#warned)
      this.#ctx.log.warn(
        { host: this.#watched.device.host, offsetMs },
        `clock off by ${Math.round(offsetMs / 1_000)} s: what the device records carries wrong times`,
      )
    this.#warned = off
  }
}
