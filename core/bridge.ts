import type { Clock } from './clock.ts'
import type { Recorded } from './connector.ts'
import type { Dispatch } from './dispatch/dispatch.ts'
import type { Doors } from './door/doors.ts'
import { BridgeError } from './error.ts'
import type { Answer, Fact, Json, Press, Sighting, State, Trouble } from './fact.ts'
import { apply, type Change, openIncident } from './incident/apply.ts'
import type { Book, Page } from './incident/book.ts'
import type { Incident } from './incident/incident.ts'
import type { Budget } from './intake/budget.ts'
import { Chatter } from './intake/chatter.ts'
import type { Event } from './intake/event.ts'
import { intake } from './intake/intake.ts'
import type { Memory } from './intake/memory.ts'
import { staleLocationMs } from './location/locate.ts'
import { Whereabouts } from './location/whereabouts.ts'
import type { Assignments } from './people/assignments.ts'
import type { Response } from './response.ts'
import { findPlan } from './site/places.ts'
import type { Site } from './site/site.ts'
import type { Committed, FactRow, Store } from './store/port.ts'
import { type Faults, unknownSource } from './supervision/faults.ts'
import type { Supervision } from './supervision/supervision.ts'
import { changeEntry, pressEntry } from './trail/entries.ts'
import type { Entry } from './trail/entry.ts'

/** The parts that the path runs through; `machine.ts` puts them together. */
export interface Parts {
  readonly site: Site
  readonly clock: Clock
  readonly store: Store
  readonly memory: Memory
  readonly book: Book
  readonly budget: Budget
  readonly assignments: Assignments
  readonly faults: Faults
  readonly supervision: Supervision
  readonly dispatch: Dispatch
  readonly doors: Doors
  readonly response: Response
  newId(): string
  /** Takes a synthetic press of our own in; null: it is a press like any other. */
  heartbeat(press: Press): Promise<Recorded> | null
  /** Counts where devices are seen; names nobody. */
  sighted(device: string, sighting: Sighting): void
}

/** What a change to an incident came to. */
export interface Changed {
  readonly incident: Incident
  /** false: it is in effect, but could not be written to disk. */
  readonly recorded: boolean
}

/** The whole path: fact → event → incident → plan → one commit → dispatch. */
export class Bridge {
  readonly #p: Parts
  readonly #response: Response
  readonly #chatter: Chatter
  readonly #whereabouts: Whereabouts

  constructor(parts: Parts) {
    this.#p = parts
    this.#response = parts.response
    this.#whereabouts = new Whereabouts(parts)
    this.#chatter = new Chatter(parts.clock, ({ words, incident, count }) =>
      this.#response.commit({ entries: [{ what: 'summary', incident, words, count }] }),
    )
  }

  /** Resolves when the fact is on disk; rejects with NOT_RECORDED or TOO_BUSY when it is not. The response runs in either case. */
  async record(connector: string, fact: Fact): Promise<Recorded> {
    const known = this.#p.store.answered(connector, fact.key)
    if (known) {
      const { id, incident } = known
      const row = { source: connector, key: fact.key, id, incident, answer: known.answer, body: null }
      return this.#answer(await this.#response.commit({ fact: row, entries: [] }), id, incident, true)
    }
    switch (fact.is) {
      case 'press': {
        const beat = fact.heartbeat === undefined ? null : this.#p.heartbeat(fact)
        if (beat) return beat
        return this.#whereabouts.known(connector, fact, () => this.#press(connector, fact))
      }
      case 'trouble':
        return this.#trouble(connector, fact)
      case 'answer':
        return this.#reply(connector, fact)
    }
  }

  /** Acknowledge, resolve, release and the like: in effect at once, the answer waits for the disk. */
  async change(id: string, change: Change): Promise<Changed> {
    const page = this.#p.book.page(id)
    if (!page) {
      const known = await this.#p.store.incident(id)
      if (!known) throw new BridgeError('UNKNOWN_INCIDENT', `there is no incident ${id}`)
      throw new BridgeError('CONFLICT', `incident ${id} is resolved already`)
    }
    if (page.incident.resolved) throw new BridgeError('CONFLICT', `incident ${id} is resolved already`)
    const next = apply(page.incident, change)
    // Said before: nothing changes; whether that is on disk the store knows.
    if (next === page.incident) return { incident: next, recorded: this.#p.store.health().recording }
    const committed = await this.#response.advance(page, next, { entries: [changeEntry(id, change)] })
    return { incident: page.incident, recorded: committed.recorded }
  }

  /** A step fell due, or something changed that the plan depends on. */
  look(id: string): void {
    const page = this.#p.book.page(id)
    if (page) void this.#response.advance(page, page.incident, { entries: [] })
  }

  /** Remembers a state: fire and movement take effect at once. */
  note(name: string, state: State): void {
    const { memory, site, doors, dispatch, faults } = this.#p
    const device = site.devices.get(name)
    const { levelChanged } = memory.note(name, state)
    if (!device) return
    if (levelChanged) {
      faults.set(`unknown:${name}`, state.quality === 'unknown' ? `${device.label}: cannot be read` : null)
      if (device.means === 'fire') {
        faults.set(`fire:${name}`, memory.state(name)?.active ? `${device.label}: FIRE` : null)
        doors.review()
        dispatch.review()
      }
    }
    if (state.clockOffsetMs !== undefined)
      faults.set(`clock-off:${name}`, clockWords(device.label, state.clockOffsetMs))
    if (state.batteryPercent !== undefined)
      faults.set(
        `low-battery:${name}`,
        state.batteryPercent < 20 ? `${device.label}: battery ${state.batteryPercent} %` : null,
      )
    if (state.sighting || state.position) this.#whereabouts.seen(device)
  }

  async #press(connector: string, press: Press): Promise<Recorded> {
    const { site, memory, clock, budget, newId, assignments, supervision } = this.#p
    const device = press.device === null ? undefined : site.devices.get(press.device)
    const state = device && memory.state(device.name)
    if (device && press.cursor !== undefined) memory.setCursor(device.name, press.cursor, true)
    const now = clock.now()
    const heard = intake(site, connector, press, {
      id: newId(),
      now,
      state,
      before: device ? memory.tracks.before(device.name, (press.sighting ?? state?.sighting)?.place) : [],
      assignment: device ? assignments.of(device.name, now) : null,
    })
    const mode = device && !heard.simulated ? supervision.pressed(device, connector, now) : undefined
    const event = mode ? { ...heard, mode, drill: heard.drill || mode === 'walk-test' } : heard
    if (device && press.sighting) memory.note(device.name, { sighting: press.sighting })
    if (device?.means === 'fire')
      this.note(device.name, { active: press.phase === 'active', quality: 'good' })
    const opensNone = event.simulated || event.phase === 'restored' || (device && device.means !== 'press')
    const source = press.device ?? press.from
    switch (budget.admit(connector, opensNone ? `${source} ${event.phase}` : source)) {
      case 'refuse':
        throw new BridgeError('TOO_BUSY', `${connector} brings more than it may; slow down`)
      case 'summarise':
        return this.#summarise(connector, press, event)
      case 'record':
        return opensNone ? this.#recordOnly(connector, press, event) : this.#respond(connector, press, event)
    }
  }

  /** The press opens an incident or joins one, and its plan goes out with the same commit. */
  async #respond(connector: string, press: Press, event: Event): Promise<Recorded> {
    const { site, book, faults, supervision } = this.#p
    if (event.source.device === null)
      faults.set(unknownSource(event.source.words), `unknown source: ${event.source.words}`)
    const joined = book.joined(event, site.incidents.join)
    const page = joined ? (book.page(joined.id) as Page) : book.open(this.#open(event))
    const { incident } = page
    if (!joined) {
      page.openedBy = event
      supervision.opened(page)
    }
    const opened: Entry[] = joined
      ? []
      : [
          {
            what: 'opened',
            incident: incident.id,
            number: incident.number,
            plan: incident.plan,
            silent: incident.silent,
          },
        ]
    const next = joined ? apply(incident, { is: 'pressed', event }) : incident
    const fact = factRow(connector, press, event, incident.id)
    const committed = await this.#response.advance(page, next, {
      fact,
      entries: [pressEntry(event, incident.id, this.#whereabouts.trace(event)), ...opened],
    })
    return this.#answer(committed, event.id, incident.id)
  }

  #open(event: Event): Incident {
    const { site, book, newId } = this.#p
    const { location } = event
    const isStale = event.receivedAt - location.at > staleLocationMs
    const place = location.place === null || isStale ? null : (site.places.get(location.place) ?? null)
    const found = findPlan(site, event.kind, place)
    return openIncident(event, {
      id: newId(),
      number: book.takeNumber(),
      revision: site.revision,
      plan: found.name,
      silent: found.silent,
    })
  }

  async #recordOnly(connector: string, press: Press, event: Event): Promise<Recorded> {
    const page = event.source.device === null ? undefined : this.#p.book.withDevice(event.source.device)
    const incident = event.phase === 'restored' ? (page?.incident.id ?? null) : null
    const fact = factRow(connector, press, event, incident)
    const entries = [pressEntry(event, incident)]
    const tookBack = page && event.phase === 'restored' && carried.has(event.source.type)
    const committed = tookBack
      ? await this.#response.advance(page, apply(page.incident, { is: 'restored', at: event.receivedAt }), {
          fact,
          entries,
        })
      : await this.#response.commit({ fact, entries })
    return this.#answer(committed, event.id, incident)
  }

  /** A chattering input costs one counted row a second, not a plan: its incident is open already. */
  async #summarise(connector: string, press: Press, event: Event): Promise<Recorded> {
    const page = press.device === null ? undefined : this.#p.book.withDevice(press.device)
    const incident = page?.incident.id ?? null
    const words = `${connector}: ${event.source.words} is chattering`
    const committed = await this.#chatter.add(`${connector}/${press.device ?? press.from}`, words, incident)
    return this.#answer(committed, event.id, incident, true)
  }

  async #trouble(connector: string, trouble: Trouble): Promise<Recorded> {
    const { faults, site, clock, newId, budget } = this.#p
    const label = site.devices.get(trouble.device ?? '')?.label ?? trouble.from.slice(0, 200)
    const id = newId()
    const source = `${trouble.device ?? trouble.from} ${trouble.trouble} ${trouble.phase}`
    if (budget.admit(connector, source) !== 'record')
      return this.#answer(
        await this.#chatter.add(`${connector}/${source}`, `${connector}: ${source}`, null),
        id,
        null,
        true,
      )
    const active = trouble.phase === 'active'
    faults.set(
      `${trouble.trouble}:${trouble.device ?? trouble.from.slice(0, 100)}`,
      active ? `${label}: ${trouble.words?.slice(0, 200) ?? trouble.trouble}` : null,
    )
    const body = { ...trouble, receivedAt: clock.now() } as unknown as Json
    const answer = { id, incident: null }
    return this.#answer(
      await this.#response.commit({
        fact: { source: connector, key: trouble.key, id, incident: null, answer, body },
        entries: [],
      }),
      id,
      null,
    )
  }

  async #reply(connector: string, reply: Answer): Promise<Recorded> {
    const { book, clock, newId } = this.#p
    const page = book.page(reply.command.split('/', 1)[0] as string)
    const incident = page?.incident.id ?? null
    const id = newId()
    const by = reply.device ?? reply.from.slice(0, 200)
    const fact = {
      source: connector,
      key: reply.key,
      id,
      incident,
      answer: { id, incident },
      body: reply as unknown as Json,
    }
    const entries: Entry[] = [{ what: 'answer', incident, command: reply.command, answer: reply.answer, by }]
    const is = changeOf[reply.answer]
    const committed =
      page && is
        ? await this.#response.advance(page, apply(page.incident, { is, at: clock.now(), by }), {
            fact,
            entries,
          })
        : await this.#response.commit({ fact, entries })
    return this.#answer(committed, id, incident)
  }

  /** Nothing that waits goes out any more. */
  stop(): void {
    this.#whereabouts.stop()
  }

  #answer(committed: Committed, id: string, incident: string | null, duplicate = false): Recorded {
    if (!committed.recorded)
      throw new BridgeError('NOT_RECORDED', `responding, not recorded: ${committed.why}`)
    const first = committed.duplicate
    return first ? { duplicate: true, id: first.id, incident: first.incident } : { duplicate, id, incident }
  }
}

/** A clock this far off misleads whoever reads its times, and soon its log-in fails, ms. */
const clockOffMs = 10_000

const clockWords = (label: string, offsetMs: number): string | null => {
  const seconds = Math.round(Math.abs(offsetMs) / 1_000)
  if (Math.abs(offsetMs) < clockOffMs) return null
  return `${label}: its clock is ${seconds} s ${offsetMs > 0 ? 'ahead' : 'behind'}`
}

/** Inputs that a person carries: letting go of one takes the call back; a button on the wall only springs back. */
const carried = new Set(['badge', 'mobile', 'keypad'])

const changeOf: Record<Answer['answer'], 'acknowledged' | 'on-the-way' | 'on-scene' | 'declined' | null> = {
  delivered: null,
  read: null,
  acknowledge: 'acknowledged',
  'on-the-way': 'on-the-way',
  'on-scene': 'on-scene',
  decline: 'declined',
}

const factRow = (connector: string, press: Press, event: Event, incident: string | null): FactRow => ({
  source: connector,
  key: press.key,
  id: event.id,
  incident,
  answer: { id: event.id, incident },
  body: event as unknown as Json,
  ...(press.device !== null && press.cursor !== undefined
    ? { cursor: { device: press.device, value: press.cursor } }
    : {}),
})
