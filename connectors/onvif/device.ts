import { randomBytes, randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { BridgeError } from '../../core/error.ts'
import { type Call, namespaces, type Service } from './codec/call.ts'
import {
  type DeviceInformation,
  getCapabilities,
  getDeviceInformation,
  getServices,
  getSystemDateAndTime,
  type ServiceAddresses,
} from './codec/device.ts'
import { OnvifError } from './codec/fault.ts'
import { type Login, usernameToken } from './codec/login.ts'
import { envelope, type Reference, readAnswer } from './codec/soap.ts'
import type { Xml } from './codec/xml.ts'
import { errorOfStatus, type Wire } from './wire.ts'

interface DeviceOptions {
  readonly url: URL
  readonly clock: Clock
  readonly login: Login
  /** Whether service addresses may name another host than `url`. */
  readonly otherHosts: boolean
}

/** How one call is made. */
export interface Way {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
  /** Sent without logging in. */
  readonly anonymous?: boolean
  /** For calls to a subscription: its address, and what it wants to see again. */
  readonly to?: { readonly url: URL; readonly reference: Reference | null }
}

/** One ONVIF device: its clock, its services, and our login to it. */
export class Device {
  readonly #wire: Wire
  readonly #options: DeviceOptions
  #services: ServiceAddresses = new Map()
  #offsetMs: number | null = null

  constructor(wire: Wire, options: DeviceOptions) {
    this.#wire = wire
    this.#options = options
  }

  /** The device's clock minus ours, ms; 0 while it is not known. */
  get offsetMs(): number {
    return this.#offsetMs ?? 0
  }

  get host(): string {
    return this.#options.url.host
  }

  /** Finds the services, then proves user and password by a call that needs them: the calls before it may not. */
  async enter(signal?: AbortSignal): Promise<DeviceInformation> {
    await this.measureClock(signal)
    this.#services = await this.ask(getServices, { signal }).catch((error: unknown) => {
      if (error instanceof OnvifError && (error.code === 'UNSUPPORTED' || error.code === 'REFUSED'))
        return this.ask(getCapabilities, { signal })
      throw error
    })
    return this.ask(getDeviceInformation, { signal })
  }

  /**
   * Asks the device for its time, which needs no login (Core 8.3.5), and keeps the difference: everything that we
   * sign from now on is in the device's time. Returns how far the difference has moved, ms.
   */
  async measureClock(signal?: AbortSignal): Promise<number> {
    const { clock } = this.#options
    const before = clock.now()
    const theirs = await this.ask(getSystemDateAndTime, { signal, anonymous: true }).catch(
      (error: unknown) => {
        // A few devices want a login even here; then our own time must do.
        if (error instanceof OnvifError && error.code === 'UNAUTHORIZED') return null
        throw error
      },
    )
    if (theirs === null) return 0
    const after = clock.now()
    // It tells whole seconds: on average it was half a second later.
    const offset = Math.round(theirs + 500 - (before + after) / 2)
    const moved =
      this.#offsetMs === null ? 0 : Math.max(0, Math.abs(offset - this.#offsetMs) - (after - before))
    // Under a second is the rounding of its answer.
    if (this.#offsetMs === null || moved > 1_000) this.#offsetMs = offset
    return moved
  }

  has(service: Service): boolean {
    return service === 'device' || this.#services.has(service)
  }

  /** Makes one call. Throws OnvifError or BridgeError. */
  async ask<T>(call: Call<T>, way: Way = {}): Promise<T> {
    return call.read((await this.#exchange(call, way)).answer)
  }

  /** As `ask`, with the answer as it stood on the wire. */
  async askRaw<T>(call: Call<T>, way: Way = {}): Promise<{ value: T; text: string }> {
    const { answer, text } = await this.#exchange(call, way)
    return { value: call.read(answer), text }
  }

  async #exchange<T>(call: Call<T>, way: Way): Promise<{ answer: Xml; text: string }> {
    const { action, body, operation } = call
    const url = way.to?.url ?? this.#addressOf(call.service)
    const addressing = way.to && {
      action,
      to: way.to.url.href,
      id: randomUUID(),
      reference: way.to.reference,
    }
    const { status, bytes } = await this.#wire.post(
      url,
      action,
      envelope(body, way.anonymous ? null : this.#token(), addressing),
      // Pulls are alike: the answer to one must never pass for that to the next, and what it said be lost or doubled.
      { ...way, alone: way.to !== undefined },
    )
    const text = bytes.toString('utf8')
    const soap = /<(?:[\w.-]+:)?Envelope[\s>]/.test(text)
    if (!soap && status !== 200) throw errorOfStatus(status, operation)
    return { answer: readAnswer(text, operation), text }
  }

  #token(): string {
    const { clock, login } = this.#options
    return usernameToken(login, randomBytes(16), new Date(clock.now() + this.offsetMs).toISOString())
  }

  #addressOf(service: Service): URL {
    if (service === 'device') return this.#options.url
    const listed = this.#services.get(service)
    if (listed !== undefined) return this.reach(listed)
    const name = namespaces[service].replace('http://www.onvif.org/', '')
    throw new OnvifError('UNSUPPORTED', `${this.host} has no service ${name}`, { retry: 'never' })
  }

  /**
   * An address that the device gave, as we can reach it. Behind NAT, or with a setup that never ended, devices name
   * hosts such as 0.0.0.0; and our login must not go wherever an answer says: another host or scheme becomes ours.
   */
  reach(address: string): URL {
    const { url, otherHosts } = this.#options
    if (!URL.canParse(address, url.href))
      throw new BridgeError(
        'BAD_ANSWER',
        `${this.host} gave an address that is none: ${address.slice(0, 80)}`,
      )
    const given = new URL(address, url.href)
    if (otherHosts && /^https?:$/.test(given.protocol)) return given
    if (given.protocol === url.protocol && given.hostname === url.hostname) return given
    return new URL(`${given.pathname}${given.search}`, url.origin)
  }
}
