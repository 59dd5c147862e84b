import { type Clock, deadline, every, type Timer } from '../clock.ts'
import type { Command, Receipt } from '../command.ts'
import type { Recorded } from '../connector.ts'
import { BridgeError, messageOf } from '../error.ts'
import type { Json, Press } from '../fact.ts'
import { composeFault } from '../message/compose.ts'
import type { Device, Site } from '../site/site.ts'
import type { Committed, RegisterRow } from '../store/port.ts'
import type { Faults } from './faults.ts'

/** So many heartbeats in a row that do not come through are a fault (DESIGN.md, promise 8). */
const missesMax = 2
/** How long a link may take to send one, ms. */
const beatMs = 10_000
/** The output must start within this, or the next heartbeat overtakes it, ms. */
const expiresMs = 30_000

/** What commands of heartbeats are called: they are many, so the trail tells only of the ones that are missing. */
const prefix = 'heartbeat/'
export const isHeartbeat = (command: string): boolean => command.startsWith(prefix)

/** What heartbeats need from the bridge. */
export interface Ports {
  readonly site: Site
  readonly clock: Clock
  readonly faults: Faults
  /** Names of the links that are up and can send one. */
  beating(): readonly string[]
  beat(link: string, mark: string, signal: AbortSignal): Promise<void>
  send(commands: readonly Command[], rows: { register: readonly RegisterRow[] }): Promise<Committed>
  newId(): string
}

/** A synthetic press on its way. */
interface Beat {
  readonly link: string
  readonly mark: string
  /** How far it has come, in words. */
  at: string
  readonly waiting: Set<string>
  done: boolean
}

/**
 * Synthetic presses: through each link's own wire, intake, a commit and dispatch, to an output that is observed. What
 * answers here answers a real press.
 */
export class Heartbeats {
  readonly #p: Ports
  readonly #beats = new Map<string, Beat>()
  readonly #last = new Map<string, Beat>()
  readonly #misses = new Map<string, number>()
  #timer: Timer | null = null

  constructor(ports: Ports) {
    this.#p = ports
  }

  start(): void {
    const { site, clock } = this.#p
    const { heartbeat } = site.supervision
    if (heartbeat) this.#timer = every(clock, heartbeat.everyMs, () => this.#round())
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Takes a press in that a beat of ours has made; null: it is a press like any other, whatever it says of itself. */
  take(press: Press): Promise<Recorded> | null {
    const beat = this.#beats.get(press.heartbeat ?? '')
    if (!beat) return null
    if (beat.waiting.size > 0 || beat.done)
      return Promise.resolve({ duplicate: true, id: beat.mark, incident: null })
    return this.#respond(beat)
  }

  /** A command of a heartbeat has ended. */
  settled(command: Command, { end, why }: Receipt): void {
    const beat = this.#beats.get(command.id.split('/')[1] ?? '')
    if (!beat) return
    beat.waiting.delete(command.id)
    if (end !== 'done') beat.at = `${command.target} did not act: ${why}`
    else if (beat.waiting.size === 0) this.#complete(beat)
  }

  /** Which links have been proven, and when the last heartbeat was missed, for the screens. */
  misses(): ReadonlyMap<string, number> {
    return this.#misses
  }

  #round(): void {
    const beating = new Set(this.#p.beating())
    for (const [link, beat] of this.#last) this.#judge(link, beat, beating.has(link))
    for (const link of beating) this.#send(link)
  }

  #judge(link: string, beat: Beat, isUp: boolean): void {
    this.#beats.delete(beat.mark)
    this.#last.delete(link)
    // A link that is down is a fault of its own.
    if (beat.done || !isUp) return
    const misses = (this.#misses.get(link) ?? 0) + 1
    this.#misses.set(link, misses)
    if (misses >= missesMax)
      this.#p.faults.set(`heartbeat:${link}`, `${link}: ${misses} heartbeat presses failed: ${beat.at}`)
  }

  #send(link: string): void {
    const { clock, newId } = this.#p
    const mark = newId()
    const beat: Beat = { link, mark, at: 'sent, never heard again', waiting: new Set(), done: false }
    this.#beats.set(mark, beat)
    this.#last.set(link, beat)
    const limit = deadline(clock, beatMs)
    this.#p
      .beat(link, mark, limit.signal)
      .catch((error: unknown) => {
        beat.at = `could not be sent: ${messageOf(error)}`
      })
      .finally(() => limit.cancel())
  }

  async #respond(beat: Beat): Promise<Recorded> {
    const { site, clock, send } = this.#p
    const now = clock.now()
    const to = site.supervision.heartbeat?.to ?? []
    const commands = to.map((device) => commandOf(site, device, beat.mark, now))
    for (const { id } of commands) beat.waiting.add(id)
    beat.at = 'heard; its output did not answer'
    const register = [{ kind: 'heartbeat', name: beat.link, body: { at: now } }]
    const committed = await send(commands, { register })
    if (!committed.recorded) {
      beat.at = `not recorded: ${committed.why}`
      throw new BridgeError('NOT_RECORDED', `heartbeat not recorded: ${committed.why}`)
    }
    return { duplicate: false, id: beat.mark, incident: null }
  }

  #complete(beat: Beat): void {
    beat.done = true
    this.#misses.delete(beat.link)
    this.#p.faults.set(`heartbeat:${beat.link}`, null)
  }
}

/** What an observed output is asked: something that proves itself and may be asked every minute. */
export const heartbeatActs = ['relay.set', 'event.send', 'door.state'] as const

const commandOf = (site: Site, device: Device, mark: string, now: number): Command => {
  const capability = heartbeatActs.find((name) => device.can.has(name)) ?? 'door.state'
  const message = () => composeFault(site, { id: `${prefix}${mark}`, lines: ['heartbeat'], since: now }, now)
  const args =
    capability === 'relay.set' ? { on: true } : capability === 'event.send' ? { message: message() } : {}
  return {
    id: `${prefix}${mark}/${device.name}`,
    incident: null,
    target: device.name,
    connector: device.connector,
    capability,
    address: device.output as Json,
    args: args as unknown as Json,
    dueAt: now,
    expiresAt: now + expiresMs,
    priority: 'rest',
    unless: [],
  }
}
