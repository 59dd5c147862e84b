import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { SystemClock } from '../../core/clock.ts'
import type { Order, Outcome } from '../../core/command.ts'
import type { Connector, Context, Link, Log, Opening, Recorded, SecretRef } from '../../core/connector.ts'
import { BridgeError } from '../../core/error.ts'
import type { Fact, Json, Press, State } from '../../core/fact.ts'
import { mustBeJson, mustBeOutcome } from './contract.ts'
import { Said } from './secrets.ts'
import type { Button, Stage, Subject, Trial } from './subject.ts'
import { pause, until, within } from './wait.ts'

/** No config of a subject may ask for more time than this to open, ms: it is half of what core grants. */
const openMs = 5_000
/** `close` is prompt, ms; core leaves a link that takes longer to itself. */
const closeMs = 1_000
/** An outcome may come so much later than `attemptMs` says, ms. */
const graceMs = 1_000
/** How long the kit watches that nothing more comes, ms. */
export const quietMs = 150

/** One link through its life. */
export interface Live {
  readonly link: Link
  readonly life: AbortController
  readonly lost: boolean
}

/** The machine's clock, but for a wall clock that can be put forward and back. */
class SteppedClock extends SystemClock {
  wallOffsetMs = 0

  override wall(): number {
    return super.wall() + this.wallOffsetMs
  }
}

/** Everything around the links of one stage: what core gives them, and what it remembers of them. */
export class Bench {
  readonly connector: Connector
  readonly stage: Stage
  /** Recorded, each once. */
  readonly facts: Fact[] = []
  /** Offered, repeats included. */
  readonly offered: Fact[] = []
  readonly notes: { readonly device: string; readonly state: State }[] = []
  /** What `record` does: it breaks when it throws what no contract knows, and hangs until it works again. */
  #disk: 'works' | 'refuses' | 'breaks' | 'hangs' = 'works'
  /** What `secret` gives: the right ones, others, or none at all. */
  credentials: 'right' | 'wrong' | 'missing' = 'right'
  readonly clock = new SteppedClock()
  readonly #said = new Said()
  readonly #complaints: string[] = []
  readonly #cursors = new Map<string, Json>()
  readonly #known = new Map<string, Recorded>()
  readonly #hanging: (() => void)[] = []
  readonly #lives = new Set<Live>()
  #orders = 0

  private constructor(connector: Connector, stage: Stage) {
    this.connector = connector
    this.stage = stage
  }

  /** Runs `work` on a fresh stage, ends everything, and looks whether anything was said or done that must not be. */
  static async with(subject: Subject, work: (bench: Bench) => Promise<void>): Promise<void> {
    const bench = new Bench(subject.connector, await subject.start())
    try {
      await work(bench)
      await bench.#end()
      const { peer } = bench.stage
      await until(
        () => !peer || peer.openSockets === 0,
        () => `the peer still has ${peer?.openSockets} sockets`,
      )
      bench.#said.holdsNone(bench.stage.secrets)
      assert.deepEqual(bench.#complaints, [])
    } finally {
      await bench.#end().catch(() => {})
      await bench.stage.close()
    }
  }

  set disk(disk: 'works' | 'refuses' | 'breaks' | 'hangs') {
    this.#disk = disk
    if (disk !== 'hangs') for (const go of this.#hanging.splice(0)) go()
  }

  get trials(): readonly Trial[] {
    return this.stage.trials ?? []
  }

  /** The opening as core would hand it over: parsed, with the cursors stored so far. */
  opening(port = this.stage.peer?.port ?? 0): Opening<unknown, unknown, unknown> {
    const { config, inputs = {}, outputs = {} } = this.stage.opening(port)
    const parsed = (schema: Connector['input'], written: { readonly [device: string]: Json }) =>
      new Map(Object.entries(written).map(([device, each]) => [device, schema?.parse(each)]))
    return {
      name: 'under-test',
      config: this.connector.config.parse(config),
      inputs: parsed(this.connector.input, inputs),
      outputs: parsed(this.connector.output, outputs),
      cursors: new Map(this.#cursors),
    }
  }

  /** Opens once. What it rejects with must be a BridgeError. */
  async open({
    port,
    life = new AbortController(),
  }: {
    port?: number
    life?: AbortController
  } = {}): Promise<Live> {
    const live = { life, lost: false } as { link: Link; life: AbortController; lost: boolean }
    const opened = this.connector.open(this.opening(port), this.#context(live))
    try {
      live.link = await within(openMs, opened, 'open')
    } catch (error) {
      this.#said.add('rejection of open', error)
      life.abort()
      assert.ok(error instanceof BridgeError, `open rejects with a BridgeError, not with ${String(error)}`)
      throw error
    }
    const gone = (why: unknown) => {
      live.lost = true
      this.#said.add('reason of a loss', why)
    }
    live.link.lost?.then(gone, gone)
    this.#lives.add(live)
    return live
  }

  /** Opens again until it works, as core does. */
  async reopen(): Promise<Live> {
    for (const end = performance.now() + openMs; ; ) {
      try {
        return await this.open()
      } catch (error) {
        if (performance.now() > end) throw error
        await pause(50)
      }
    }
  }

  /** The link itself, or its successor when it is lost. */
  async alive(live: Live): Promise<Live> {
    if (!live.lost) return live
    await this.close(live)
    return this.reopen()
  }

  /** As core does: the signal, then `close`; which must do without the signal as well. */
  async close(live: Live, { silently = false }: { silently?: boolean } = {}): Promise<void> {
    if (!silently) live.life.abort()
    await within(closeMs, live.link.close(), 'close')
    assert.equal(
      getEventListeners(live.life.signal, 'abort').length,
      0,
      'a closed link still listens to the signal of its context',
    )
    this.#lives.delete(live)
  }

  /** One attempt as core makes it: with the time that the connector itself asks for, and a valid outcome at its end. */
  async act(live: Live, trial: Trial, { address, args, abort, id }: Attempt = {}): Promise<Outcome> {
    const ms = this.attemptMs(trial)
    const controller = abort ?? new AbortController()
    const timer = setTimeout(() => controller.abort(new DOMException('time is up', 'TimeoutError')), ms)
    const order: Order<unknown, unknown> = {
      id: id ?? `incident/step.0/${trial.output}/${++this.#orders}`,
      attempt: 1,
      address: address ?? this.opening().outputs.get(trial.output),
      args: args ?? trial.args,
      signal: controller.signal,
    }
    const run = (live.link.acts as Record<string, ((of: typeof order) => Promise<Outcome>) | undefined>)[
      trial.capability
    ]
    assert.ok(run, `the link has an act ${trial.capability}`)
    try {
      const outcome = await within(ms + graceMs, run(order), `the outcome of ${trial.capability}`)
      this.#said.add('outcome', outcome)
      mustBeOutcome(outcome, this.connector, trial.capability)
      await until(
        () => getEventListeners(controller.signal, 'abort').length === 0,
        `${trial.capability} has ended, but still listens to the signal of its order`,
        graceMs,
      )
      return outcome
    } finally {
      clearTimeout(timer)
    }
  }

  attemptMs(trial: Trial): number {
    return this.connector.attemptMs?.(this.opening().config, trial.capability) ?? 5_000
  }

  /** Tries out an output, or the link itself. What it rejects with must be a BridgeError. */
  async probe(live: Live, output: string | null, signal: AbortSignal): Promise<void> {
    const address = output === null ? null : (this.opening().outputs.get(output) ?? null)
    try {
      const found = await within(openMs, live.link.probe?.(address, signal) ?? Promise.resolve(null), 'probe')
      this.#said.add('result of a probe', found)
      mustBeJson(found, 'the result of a probe')
    } catch (error) {
      this.#said.add('rejection of a probe', error)
      assert.ok(error instanceof BridgeError, `probe rejects with a BridgeError, not with ${String(error)}`)
      throw error
    }
  }

  /** Presses recorded of a button; a fact may stand for several. */
  presses({ device }: Button): number {
    const counted = ({ raw }: Press) => (raw as { readonly presses?: number } | null)?.presses ?? 1
    return this.#of(device, 'active').reduce((sum, fact) => sum + counted(fact), 0)
  }

  ends({ device }: Button): number {
    return this.#of(device, 'restored').length
  }

  /** Waits until exactly so many presses are recorded, each with its end, and watches that it stays so. */
  async expectPresses(button: Button, count: number): Promise<void> {
    const told = () =>
      `${count} presses of ${button.device}, recorded are ${this.presses(button)}: ${this.#list()}`
    await until(() => this.presses(button) >= count, told)
    if (button.restores)
      await until(
        () => this.ends(button) >= this.#of(button.device, 'active').length,
        () => `the end of each press of ${button.device}: ${this.#list()}`,
      )
    await pause(quietMs)
    assert.equal(this.presses(button), count, told())
  }

  /** No press of anything so far. */
  expectNoPress(): void {
    const presses = this.facts.filter((fact) => fact.is === 'press' && fact.phase === 'active')
    assert.deepEqual(presses, [], 'nobody pressed anything')
  }

  #of(device: string, phase: Press['phase']): Press[] {
    return this.facts.filter(
      (fact): fact is Press => fact.is === 'press' && fact.device === device && fact.phase === phase,
    )
  }

  #list(): string {
    return JSON.stringify(this.facts)
  }

  async #end(): Promise<void> {
    this.disk = 'works'
    for (const live of [...this.#lives]) await this.close(live)
  }

  #context(live: Live): Context {
    const line = (level: string) => (fields: object, text: string) => {
      this.#said.add(`log line (${level})`, { ...fields, text })
    }
    const log: Log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
    return {
      clock: this.clock,
      log,
      signal: live.life.signal,
      record: (fact) => this.#record(fact),
      note: (device, state) => this.#note(live, device, state),
      heard: () => {},
      keep: async () => 'f'.repeat(64),
      secret: async (ref) => this.#secret(ref),
    }
  }

  async #record(fact: Fact): Promise<Recorded> {
    this.offered.push(fact)
    this.#said.add('fact', fact)
    mustBeJson(fact, 'a fact')
    if (fact.key === '' || fact.from === '') this.#complaints.push(`a fact without key or words: ${fact.key}`)
    if (fact.device !== null && !this.opening().inputs.has(fact.device))
      this.#complaints.push(`a fact of ${fact.device}, which is no input of the opening`)
    if (this.#disk === 'hangs') await new Promise<void>((resolve) => this.#hanging.push(resolve))
    if (this.#disk === 'refuses') throw new BridgeError('NOT_RECORDED', 'the disk is full')
    if (this.#disk === 'breaks') throw new TypeError('a mistake in core')
    const known = this.#known.get(fact.key)
    if (known) return { ...known, duplicate: true }
    const recorded = { duplicate: false, id: `event-${this.#known.size}`, incident: null }
    this.#known.set(fact.key, recorded)
    this.facts.push(fact)
    if (fact.device !== null && fact.cursor !== undefined) this.#cursors.set(fact.device, fact.cursor)
    return recorded
  }

  #note(live: Live, device: string, state: State): void {
    this.notes.push({ device, state })
    this.#said.add('note', { device, state })
    mustBeJson(state, 'a note')
    if (state.cursor !== undefined) this.#cursors.set(device, state.cursor)
    if (live.lost && state.quality !== 'unknown')
      this.#complaints.push(`after its loss a link notes ${JSON.stringify(state)} of ${device}`)
  }

  #secret(ref: SecretRef): string {
    const value = 'env' in ref ? this.stage.secrets[ref.env] : undefined
    if (value === undefined || this.credentials === 'missing')
      throw new BridgeError('SECRET_MISSING', 'there is no such secret')
    // It holds the right one, so that a wrong one is not shown either.
    return this.credentials === 'wrong' ? `${value}-wrong` : value
  }
}

interface Attempt {
  readonly address?: unknown
  readonly args?: Json
  readonly abort?: AbortController
  readonly id?: string
}
