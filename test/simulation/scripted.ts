import { z } from 'zod'
import { capabilities, type DoorMode } from '../../core/capability.ts'
import { type Clock, sleep } from '../../core/clock.ts'
import { done, failed, type Order, type Outcome } from '../../core/command.ts'
import { type Connector, type Context, defineConnector, type Link } from '../../core/connector.ts'
import type { Press } from '../../core/fact.ts'

/** How a scripted target answers from now on. */
export type Manner =
  | 'well'
  /** Nothing arrives, and that is known. */
  | 'refuses'
  /** Said no for good. */
  | 'never'
  /** Takes the order, does it, and never answers. */
  | 'hangs'
  /** Does it only this long after it was given up. */
  | { readonly landsAfterMs: number }

/** One act that reached a target. */
export interface Acted {
  readonly at: number
  readonly capability: string
  readonly target: string
  readonly command: string
  readonly attempt: number
  readonly args: any
}

/** The world that the scripted connector acts upon: pagers, cameras, relays and doors with a state. */
export class World {
  readonly acts: Acted[] = []
  readonly doors = new Map<string, DoorMode>()
  readonly #clock: Clock
  readonly #answers = new Map<string, (order: Order<{ id: string }, any>) => Promise<Outcome>>()
  readonly #manners = new Map<string, Manner>()
  readonly #contexts = new Map<string, Context>()
  readonly #drops = new Map<string, (why: Error) => void>()
  /** Called in the very turn in which an act reaches its target. */
  onAct: (act: Acted) => void = () => {}
  /** What becomes of synthetic presses. */
  beats: 'come in' | 'vanish' = 'come in'
  #isDown = false
  #keys = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Answers one capability of one target by a function of the test's own. */
  answers(
    capability: string,
    target: string,
    act: (order: Order<{ id: string }, any>) => Promise<Outcome>,
  ): void {
    this.#answers.set(`${capability} ${target}`, act)
  }

  behaves(target: string, manner: Manner): void {
    this.#manners.set(target, manner)
  }

  /** The context of the one link, through which presses and states come. */
  get context(): Context {
    return this.contextOf('wire')
  }

  contextOf(link: string): Context {
    const context = this.#contexts.get(link)
    if (!context) throw new Error('the link is not open')
    return context
  }

  nextKey(): string {
    return `${++this.#keys}`
  }

  drop(): void {
    this.#isDown = true
    for (const drop of this.#drops.values()) drop(new Error('cable pulled'))
    this.#drops.clear()
  }

  mend(): void {
    this.#isDown = false
  }

  open(name: string, ctx: Context): Promise<Link> {
    if (this.#isDown) return Promise.reject(new Error('no route'))
    this.#contexts.set(name, ctx)
    const lost = new Promise<unknown>((resolve) => this.#drops.set(name, resolve))
    const acts = Object.fromEntries(
      Object.keys(capabilities).map((capability) => [
        capability,
        (order: Order<{ id: string }>) => this.#act(capability, order),
      ]),
    )
    const beat = async (mark: string) => {
      if (this.beats === 'come in') await ctx.record(beatOf(mark, this.nextKey()))
    }
    return Promise.resolve({ lost, acts, beat, close: async () => {} } as unknown as Link)
  }

  #seen(capability: string, { id: command, attempt, address, args }: Order<{ id: string }, any>): Acted {
    return { at: this.#clock.now(), capability, target: address.id, command, attempt, args }
  }

  async #act(capability: string, order: Order<{ id: string }, any>): Promise<Outcome> {
    const { id } = order.address
    const manner = this.#manners.get(id) ?? 'well'
    if (order.signal.aborted) return failed('ABORTED', 'too late')
    if (capability === 'door.state') return done('confirmed', { mode: this.doors.get(id) ?? 'locked' })
    if (manner === 'refuses') return failed('UNREACHABLE', `${id} is away`)
    if (manner === 'never') return failed('NOT_FOUND', `${id} does not exist`, { retry: 'never' })
    this.onAct(this.#seen(capability, order))
    const answer = this.#answers.get(`${capability} ${id}`)
    if (answer) return answer(order)
    if (typeof manner === 'object') {
      this.#clock.after(manner.landsAfterMs, () => this.#happen(capability, order))
      return this.#timeout(order)
    }
    this.#happen(capability, order)
    if (manner === 'hangs') return this.#timeout(order)
    return done('confirmed', capability.startsWith('door.') ? { mode: this.doors.get(id) ?? 'locked' } : {})
  }

  async #timeout(order: Order): Promise<Outcome> {
    await sleep(this.#clock, 60_000, order.signal)
    return failed('TIMEOUT', 'no answer', { effect: 'possible' })
  }

  #happen(capability: string, order: Order<{ id: string }, any>): void {
    const { address, args } = order
    this.acts.push(this.#seen(capability, order))
    if (capability === 'door.lockdown') this.doors.set(address.id, 'lockdown')
    if (capability === 'door.secure') this.doors.set(address.id, 'locked')
    if (capability === 'door.release')
      this.doors.set(address.id, args.before === 'unknown' ? 'locked' : args.before)
  }
}

const beatOf = (heartbeat: string, key: string): Press => ({
  is: 'press',
  phase: 'active',
  device: null,
  from: 'heartbeat',
  key,
  raw: null,
  heartbeat,
})

const address = z.strictObject({
  id: z.string().describe('Name in the scripted world.'),
  polled: z.boolean().default(false).describe('It is asked all the time, and answers.'),
})

/** A connector to a scripted world: every capability, and presses by call. */
export const scripted = (world: World): Connector =>
  defineConnector({
    type: 'scripted',
    summary: 'A scripted world, for simulations.',
    module: import.meta.url,
    contract: 1,
    source: 'badge',
    config: z.strictObject({}),
    input: address,
    output: address,
    can: Object.values(capabilities) as never,
    silentAfterMs: (_config, { polled }) => (polled ? 5_000 : null),
    open: ({ name }, ctx) => world.open(name, ctx) as never,
  }) as unknown as Connector
