import { type Capability, capabilities, type Priority } from '../capability.ts'
import type { Command, Condition } from '../command.ts'
import type { Json } from '../fact.ts'
import type { Incident } from '../incident/incident.ts'
import type { Location } from '../intake/event.ts'
import { staleLocationMs } from '../location/locate.ts'
import { compose } from '../message/compose.ts'
import type { Message } from '../message/message.ts'
import { guardingDoors, nearestCameras } from '../site/places.ts'
import type { Act, ContactPath, Device, Place, Plan, Site, Step } from '../site/site.ts'
import { stoppedBy } from './condition.ts'
import { escalations, overdueAt, reminderAt } from './escalation.ts'
import { type Fire, fireReason } from './fire.ts'
import { disturbance } from './silence.ts'

/** A lock that the incident should have: the door's lane makes the commands of it. */
export interface Lock {
  readonly command: Command
  readonly door: string
  readonly mode: 'secure' | 'lockdown'
  /** When it ends by itself, ms since the epoch. */
  readonly until: number
}

/** What an incident should have now. */
export interface Wanted {
  readonly commands: readonly Command[]
  readonly locks: readonly Lock[]
  /** What the plan names but a rule forbids: receipts, not commands. */
  readonly suppressed: readonly { readonly command: Command; readonly why: string }[]
  /** When to plan again if nothing happens before, ms since the epoch; null when there is nothing to come. */
  readonly nextAt: number | null
}

/** A lock without `limit` in its step is released after this, ms. */
const lockLimitMs = 900_000

/** The plan of an incident; a config that lost the plan's name falls back to the catch-all, so that nobody is forgotten. */
const planOf = (site: Site, incident: Incident): Plan =>
  site.plans.find((plan) => plan.name === incident.plan) ?? (site.plans.at(-1) as Plan)

/**
 * Every command that the incident should have now, with ids derived from what asks for it. Pure: the same site,
 * incident, time and fire readings give the same answer, so that planning again is free of effect.
 */
export const plan = (site: Site, incident: Incident, now: number, fire: (door: Device) => Fire): Wanted => {
  const draft = new Draft(site, incident, now, fire)
  const of = planOf(site, incident)
  const first = of.steps.filter((step) => step.atMs === of.steps[0]?.atMs)
  const later = of.steps.filter((step) => !first.includes(step))
  if (incident.resolved) {
    standDown(draft, of, incident)
    return draft.wanted()
  }
  for (const round of incident.rounds)
    for (const step of first)
      draft.step(round.n === 0 ? '' : `again.${round.n}/`, step, round.at + step.atMs, {
        about: round.n === 0 ? 'press' : 'again',
      })
  for (const step of later.filter(({ unless }) => unless.length === 0))
    draft.step('', step, incident.openedAt + step.atMs, { about: 'escalation' })
  escalate(draft, first, later, incident)
  for (const move of incident.moves)
    for (const step of first) draft.move(`moved.${move.n}/`, step, move.at, move.location)
  remind(draft, first, site, incident, now)
  return draft.wanted()
}

const escalate = (draft: Draft, first: readonly Step[], later: readonly Step[], incident: Incident): void => {
  const arm = incident.arm === 0 ? '' : `arm.${incident.arm}/`
  const { steps, beyond } = escalations(later, incident)
  for (const { step, dueAt } of steps) draft.step(arm, step, dueAt, { about: 'escalation' })
  // Declined, and nobody is left to go to: those of the first step hear it again.
  for (const { n, at } of beyond)
    for (const step of first) draft.pages(`${arm}declined.${n}/`, step, at, 'escalation', ['acknowledged'])
  const overdue = overdueAt(incident, draft.targetMs())
  if (overdue === null) return
  const again = steps.length > 0 ? steps.map(({ step }) => step) : first
  for (const step of again) draft.pages(`${arm}overdue/`, step, overdue, 'overdue', ['on-scene'])
}

const remind = (draft: Draft, first: readonly Step[], site: Site, incident: Incident, now: number): void => {
  const { n, at, nextAt } = reminderAt(incident, site.incidents.remind, now)
  if (n > 0) for (const step of first) draft.pages(`reminder.${n}/`, step, at, 'reminder', [])
  draft.lookAt(nextAt)
}

/** Everybody who was told hears that it is over; what was set for the incident is set back. */
const standDown = (draft: Draft, of: Plan, incident: Incident): void => {
  const at = incident.resolved?.at ?? 0
  for (const step of of.steps) {
    const told =
      incident.openedAt + step.atMs <= at &&
      (step.unless.length === 0 || step.atMs === of.steps[0]?.atMs || wasDue(draft, step, of, incident, at))
    // Of a walk test nobody was to come: one page says it all.
    if (told && incident.mode !== 'walk-test')
      draft.pages('stand-down/', step, at, 'stand-down', [], 'stand-down/')
    if (told) draft.back(step, at)
  }
}

/** Whether an escalation step may have gone out before anything stopped it; in doubt people are told once more. */
const wasDue = (draft: Draft, step: Step, of: Plan, incident: Incident, at: number): boolean => {
  const answers = [incident.acknowledged, incident.onTheWay, incident.onScene].flatMap(
    (deed) => deed?.at ?? [],
  )
  const { steps } = escalations(of.steps.slice(1), incident)
  const overdue = overdueAt(incident, draft.targetMs())
  return (
    incident.arm > 0 ||
    (overdue !== null && overdue <= at) ||
    steps.some((due) => due.step === step && due.dueAt <= Math.min(at, ...answers))
  )
}

/** Collects what is due, and when to look again. */
class Draft {
  readonly #site: Site
  readonly #incident: Incident
  readonly #now: number
  readonly #fire: (door: Device) => Fire
  readonly #commands = new Map<string, Command>()
  readonly #locks: Lock[] = []
  readonly #suppressed: { command: Command; why: string }[] = []
  #nextAt: number | null = null

  constructor(site: Site, incident: Incident, now: number, fire: (door: Device) => Fire) {
    this.#site = site
    this.#incident = incident
    this.#now = now
    this.#fire = fire
  }

  wanted(): Wanted {
    return {
      commands: [...this.#commands.values()],
      locks: this.#locks,
      suppressed: this.#suppressed,
      nextAt: this.#nextAt,
    }
  }

  targetMs(): number {
    return this.#place(this.#incident.location)?.targetMs ?? this.#site.incidents.target
  }

  lookAt(at: number): void {
    if (at > this.#now && (this.#nextAt === null || at < this.#nextAt)) this.#nextAt = at
  }

  /** Everything that a step does, once it is due and nothing has stopped it. */
  step(prefix: string, step: Step, dueAt: number, { about }: { about: Message['about'] }): void {
    if (!this.#isDue(dueAt, step.unless)) return
    const message = compose(this.#site, this.#incident, about, dueAt)
    step.do.forEach((act, n) => {
      this.#act(
        `${prefix}step.${step.index}.${n}/`,
        act,
        dueAt,
        step.unless,
        message,
        this.#incident.location,
      )
    })
  }

  /** Only what tells people. */
  pages(
    prefix: string,
    step: Step,
    dueAt: number,
    about: Message['about'],
    unless: readonly Condition[],
    id?: string,
  ): void {
    if (!this.#isDue(dueAt, unless)) return
    const message = compose(this.#site, this.#incident, about, dueAt)
    step.do.forEach((act, n) => {
      if (act.capability === 'page.send' || act.capability === 'event.send')
        this.#act(
          id ?? `${prefix}step.${step.index}.${n}/`,
          act,
          dueAt,
          unless,
          message,
          this.#incident.location,
        )
    })
  }

  /** What follows a person to another place: people, cameras and what is shown of doors; never a lock. */
  move(prefix: string, step: Step, at: number, location: Location): void {
    if (!this.#isDue(at, [])) return
    const message = compose(this.#site, this.#incident, 'moved', at, location)
    step.do.forEach((act, n) => {
      if (follows.has(act.capability))
        this.#act(`${prefix}step.${step.index}.${n}/`, act, at, [], message, location)
    })
  }

  /** Sets back the relays that a step had set. */
  back(step: Step, at: number): void {
    step.do.forEach((act, n) => {
      if (act.capability === 'relay.set') this.#relaysBack(`step.${step.index}.${n}/`, act, at)
    })
  }

  #isDue(dueAt: number, unless: readonly Condition[]): boolean {
    if (stoppedBy(this.#incident, unless)) return false
    if (dueAt <= this.#now) return true
    this.lookAt(dueAt)
    return false
  }

  #act(
    prefix: string,
    act: Act,
    dueAt: number,
    unless: readonly Condition[],
    message: Message,
    location: Location,
  ): void {
    const capability = this.#capability(act)
    const add = (target: Device | ContactPath, address: unknown, args: Json) =>
      this.#add(prefix, act, capability, target, address, args, dueAt, unless)
    /** One for all that are told the same. */
    const told = { message } as unknown as Json
    switch (act.capability) {
      case 'page.send':
        for (const name of act.to)
          for (const path of this.#site.responders.get(name)?.paths ?? []) add(path, path.address, told)
        return
      case 'event.send':
        for (const device of this.#named(act)) add(device, device.output, told)
        return
      case 'camera.preset':
      case 'camera.snapshot':
        for (const { device, preset } of this.#cameras(act, location))
          if (act.capability === 'camera.snapshot') add(device, device.output, {})
          else if (preset !== null) add(device, device.output, { preset })
        return
      case 'door.highlight':
        for (const door of this.#doors(act, location)) add(door, door.output ?? {}, {})
        return
      case 'door.secure':
      case 'door.lockdown':
        for (const door of this.#doors(act, location))
          this.#lock(prefix, act, capability, door, dueAt, unless)
        return
      case 'relay.set':
        for (const device of this.#named(act)) add(device, device.output, act.args as Json)
        if (act.limitMs !== null && this.#isDue(dueAt + act.limitMs, []))
          this.#relaysBack(prefix, act, dueAt + act.limitMs)
        return
      default:
        for (const device of this.#named(act)) add(device, device.output, act.args as Json)
    }
  }

  #relaysBack(prefix: string, act: Act, dueAt: number): void {
    const capability = this.#capability(act)
    for (const device of this.#named(act))
      this.#add(
        `${prefix}back/`,
        act,
        capability,
        device,
        device.output,
        { on: act.args['on'] !== true },
        dueAt,
        [],
      )
  }

  #add(
    prefix: string,
    act: Act,
    capability: Pick<Capability, 'name' | 'perceptible' | 'priority' | 'expiresAfterMs'>,
    target: Device | ContactPath,
    address: unknown,
    args: Json,
    dueAt: number,
    unless: readonly Condition[],
  ): void {
    const command = this.#command(prefix, act, capability, target, address, args, dueAt, unless)
    if (this.#commands.has(command.id)) return
    const why =
      this.#isPrivate(act, target) ??
      this.#movesDoor(capability, target) ??
      disturbance(this.#site, this.#incident, capability.perceptible, target)
    if (why) this.#suppressed.push({ command, why })
    else this.#commands.set(command.id, command)
  }

  /** Whoever walks from button to button locks nobody in or out. */
  #movesDoor({ name }: Pick<Capability, 'name'>, target: Device | ContactPath): string | null {
    if (this.#incident.mode !== 'walk-test' || !('door' in target)) return null
    const moves = (target.door !== null || name.startsWith('door.')) && !harmless.has(name)
    return moves ? 'walk test: no door is moved' : null
  }

  /** No picture is taken where the config says so: of a camera, or of the place. */
  #isPrivate(act: Act, target: Device | ContactPath): string | null {
    if (act.capability !== 'camera.snapshot' || !('camera' in target)) return null
    const isPrivate =
      target.camera?.noImage || this.#incident.been.some((path) => this.#site.places.get(path)?.noImage)
    return isPrivate ? 'privacy: no picture is taken here' : null
  }

  #lock(
    prefix: string,
    act: Act,
    capability: Pick<Capability, 'name' | 'perceptible' | 'priority' | 'expiresAfterMs'>,
    door: Device,
    dueAt: number,
    unless: readonly Condition[],
  ): void {
    const command = this.#command(prefix, act, capability, door, door.output, {}, dueAt, unless)
    const why = this.#forbidden(capability, door)
    if (why) this.#suppressed.push({ command, why })
    else
      this.#locks.push({
        command,
        door: door.name,
        mode: act.capability === 'door.secure' ? 'secure' : 'lockdown',
        until: dueAt + (act.limitMs ?? lockLimitMs),
      })
  }

  #forbidden(capability: Pick<Capability, 'perceptible'>, door: Device): string | null {
    if (!door.door?.lockable) return `${door.name} is never locked by the bridge`
    if (this.#incident.mode === 'walk-test') return 'walk test: no door is moved'
    if (this.#incident.released) return `released by ${this.#incident.released.by}`
    if (this.#incident.kind === 'hold-up') return 'hold-up: the robber is let out'
    const { location } = this.#incident
    if (location.place === null || location.from === 'last-known') return 'place not known well enough'
    if (this.#incident.openedAt - location.at > staleLocationMs) return 'place not known well enough'
    return (
      fireReason(this.#fire(door)) ?? disturbance(this.#site, this.#incident, capability.perceptible, door)
    )
  }

  #command(
    prefix: string,
    act: Act,
    capability: Pick<Capability, 'name' | 'priority' | 'expiresAfterMs'>,
    target: Device | ContactPath,
    address: unknown,
    args: Json,
    dueAt: number,
    unless: readonly Condition[],
  ): Command {
    const expiresMs = act.expiresMs ?? capability.expiresAfterMs
    const shown = act.capability === 'door.highlight' && 'can' in target && !target.can.has('door.highlight')
    return {
      id: `${this.#incident.id}/${prefix}${target.name}`,
      incident: this.#incident.id,
      target: target.name,
      connector: shown ? 'console' : target.connector,
      capability: act.capability,
      address: (shown ? {} : address) as Json,
      args,
      dueAt,
      expiresAt: expiresMs === null ? null : dueAt + expiresMs,
      priority: capability.priority,
      unless,
    }
  }

  /** Built in, or brought by a connector of the site. */
  #capability(act: Act): Pick<Capability, 'name' | 'perceptible' | 'priority' | 'expiresAfterMs'> {
    const builtIn = capabilities[act.capability as keyof typeof capabilities]
    if (builtIn) return builtIn
    for (const name of act.to) {
      const entry = this.#site.connectors.get(this.#site.devices.get(name)?.connector ?? '')
      const own = entry?.connector.can?.find((capability) => capability.name === act.capability)
      if (own) return own
    }
    return {
      name: act.capability,
      perceptible: 'sound',
      priority: 'rest' as Priority,
      expiresAfterMs: 60_000,
    }
  }

  #named(act: Act): Device[] {
    return act.to.flatMap((name) => this.#site.devices.get(name) ?? [])
  }

  #cameras(act: Act, location: Location): { device: Device; preset: string | null }[] {
    const place = this.#place(location)
    const explicit = act.args['preset']
    const named = this.#named(act).map((device) => ({
      device,
      preset:
        typeof explicit === 'string'
          ? explicit
          : ((place && device.camera?.sees.get(place.path)?.preset) ?? null),
    }))
    const nearest = act.to.includes('nearest') && place ? nearestCameras(this.#site, place) : []
    return [...named, ...nearest].filter(({ device }) => device.can.has(act.capability))
  }

  #doors(act: Act, location: Location): Device[] {
    const place = this.#place(location)
    const guarding = act.to.includes('guarding') && place ? guardingDoors(this.#site, place) : []
    return [...this.#named(act).filter((device) => device.door), ...guarding]
  }

  #place(location: Location): Place | undefined {
    return location.place === null ? undefined : this.#site.places.get(location.place)
  }
}

const follows = new Set(['page.send', 'event.send', 'camera.preset', 'camera.snapshot', 'door.highlight'])

/** What a walk test may do at a door. */
const harmless = new Set(['door.highlight', 'door.state'])
