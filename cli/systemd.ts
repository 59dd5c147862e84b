import { execFile } from 'node:child_process'
import { type Clock, every, type Timer } from '../core/clock.ts'
import type { Log } from '../core/connector.ts'

/** How long systemd-notify may take, ms. */
const notifyMs = 2_000

/**
 * Tells systemd how the bridge is (sd_notify(3)): ready, alive, stopping. By systemd's own program, since Node can't write to
 * the datagram socket; so the unit says `NotifyAccess=all`. Without systemd it does nothing.
 */
export class Systemd {
  readonly #log: Log
  readonly #watchdogMs: number | null
  readonly #isThere: boolean
  #timer: Timer | null = null

  constructor(env: NodeJS.ProcessEnv, log: Log) {
    this.#log = log
    this.#isThere = (env['NOTIFY_SOCKET'] ?? '') !== ''
    const usec = Number(env['WATCHDOG_USEC'])
    this.#watchdogMs = usec > 0 ? usec / 1_000 : null
  }

  /** The bridge is ready; from now on it also says that it lives, for as long as `isAlive` says so. */
  ready(clock: Clock, status: string, isAlive: () => boolean): void {
    this.#tell('READY=1', `STATUS=${status}`)
    if (!this.#isThere || this.#watchdogMs === null) return
    // Half of the time that systemd waits, as sd_watchdog_enabled(3) advises.
    this.#timer = every(clock, this.#watchdogMs / 2, () => {
      if (isAlive()) this.#tell('WATCHDOG=1')
    })
  }

  stopping(): void {
    this.#timer?.cancel()
    this.#tell('STOPPING=1')
  }

  #tell(...states: readonly string[]): void {
    if (!this.#isThere) return
    execFile('systemd-notify', states, { timeout: notifyMs }, (error) => {
      if (error) this.#log.warn({ error: error.message.slice(0, 200) }, 'systemd could not be told')
    })
  }
}
