import { isCarriedBadly, isDisturbed, recoveryMs } from './disturbed.ts'
import { groupOf, wingOfDoor } from './ground.ts'
import type { ArrivalRow } from './record.ts'
import { slackMs, type Times } from './times.ts'
import type { Violations } from './violations.ts'

/** A command as the store has it at the end. */
export interface StoredCommand {
  readonly id: string
  readonly target: string
  readonly capability: string
  readonly expiresAt: number | null
  readonly receipt: {
    readonly end: string
    readonly why: string
    readonly effect: string
    readonly attempts: number
    readonly proof: string | null
    /** By the bridge's clock. */
    readonly at: number
  } | null
}

/** What a command is held against. */
export interface Around {
  readonly times: Times
  readonly found: Violations
  /** When the press that opened the incident was sent; null: not by a webhook button. */
  openedAt(incident: string): number | null
  /** Since when a wing's fire input had been active at that moment; null: it was not. */
  fireSince(wing: number, at: number): number | null
  /** Whether a door was in this mode at some time between two moments. */
  doorWas(door: string, mode: string, from: number, to: number): boolean
  /** When the hold that began with this lock ended, by the bridge's clock; null: it did not. */
  holdEnded(lock: string): number | null
}

/** A command that is due at once goes out within this, ms. It is not about speed: two cores carry everything at once. */
const atOnceMs = 3_000
/** A fire input is read at least this often, or counts as unknown, ms (`stale` of the site). */
const fireReadMs = 2_000

/** Nobody waits longer for a worker than a parcel's grace and a dead worker's silence, ms. */
const takeOverMs = 2_500
/** A worker or a target that seems to be silent for so long is given up, ms. */
const silenceMs = 1_000

/** Everything that one command and what came of it at its target can break. */
export const judgeCommand = (
  command: StoredCommand,
  arrivals: readonly ArrivalRow[],
  around: Around,
): void => {
  const { found } = around
  found.looked('receipt')
  if (!command.receipt) found.add('receipt', 'a command without a receipt', { command, arrivals })
  else truthful(command, arrivals, around)
  repeated(command, arrivals, around)
  if (isLock(command)) for (const arrival of arrivals) lockInTime(command, arrival, around)
  if (isAtOnce(command)) promptly(command, arrivals, around)
}

const isLock = ({ capability }: StoredCommand): boolean =>
  capability === 'door.lockdown' || capability === 'door.secure'

/** Of the first step, for the press that opened the incident. */
const isAtOnce = ({ id }: StoredCommand): boolean => /^[^/]+\/step\.0\.\d+\//.test(id)

const incidentOf = ({ id }: StoredCommand): string => id.split('/', 1)[0] as string

/** How old a reading of a door may be that ends a command, ms: a lock's own patience and a look of the watch. */
const readingMs = 5_000

/** What is read back was done as well when the door is so already, or its own answer was lost: then it must have been so. */
const isSo = ({ target, capability, receipt }: StoredCommand, { times, doorWas }: Around): boolean => {
  const at = receipt?.proof === 'confirmed' ? times.ours(receipt.at) : null
  const mode = modes[capability]
  return at !== null && mode !== undefined && doorWas(target, mode, at - readingMs, at + slackMs)
}

const modes: { readonly [capability: string]: string } = {
  'door.lockdown': 'lockdown',
  'door.secure': 'locked',
  'door.release': 'unlocked',
}

const truthful = (command: StoredCommand, arrivals: readonly ArrivalRow[], around: Around): void => {
  const { found } = around
  found.looked('truthful')
  const receipt = command.receipt as NonNullable<StoredCommand['receipt']>
  const hasDone = arrivals.some(({ did }) => did === 1)
  if (receipt.end === 'done' && !hasDone && !isSo(command, around))
    found.add('truthful', 'done, but its target was never told', { command, arrivals })
  if (receipt.effect === 'none' && hasDone)
    found.add('truthful', 'without effect by its receipt, but its target did it', { command, arrivals })
}

const repeated = (
  command: StoredCommand,
  arrivals: readonly ArrivalRow[],
  { times, found }: Around,
): void => {
  if (arrivals.length > 0) found.looked('repeated')
  const group = groupOf(command.target)
  for (const [index, arrival] of arrivals.entries()) {
    const before = arrivals.slice(0, index).findLast(({ did }) => did === 1)
    if (!before) continue
    const known = { command, arrivals, windows: near(times, group, before.at, arrival.at) }
    if ((arrival.what === 'page' || arrival.what === 'event') && arrival.repeat === 0)
      found.add('repeated', 'told again without saying that it may be a repeat', known)
    // Until its answer could have come, or the bridge had written down that it came.
    const answeredBy = before.at + recoveryMs.bridge
    const isExplained =
      before.answered === 0 ||
      isDisturbed(times, group, before.at, Math.min(arrival.at, answeredBy)) ||
      isCarriedBadly(times, group, before.at, Math.min(arrival.at, answeredBy)) ||
      times.starvedMs(before.at - recoveryMs.bridge, arrival.at) > silenceMs
    if (!isExplained) found.add('repeated', 'done again although nothing was lost', known)
  }
}

const lockInTime = (command: StoredCommand, arrival: ArrivalRow, around: Around): void => {
  const { times, found } = around
  const bridgeAt = times.bridgeAt(arrival.at)
  const group = groupOf(command.target)
  const known = { command, arrival, bridgeAt, windows: near(times, group, arrival.at - 10_000, arrival.at) }
  if (bridgeAt !== null && command.expiresAt !== null) {
    found.looked('late')
    // What a slow wire keeps was sent in time, and nobody can call it back.
    const onItsWayMs = slackMs + times.slowMs(group, arrival.at, arrival.at)
    if (bridgeAt > command.expiresAt + onItsWayMs)
      found.add('late', `a lock arrived ${bridgeAt - command.expiresAt} ms after its expiry`, known)
    const endedAt = around.holdEnded(command.id.split('#', 1)[0] as string)
    if (endedAt !== null && bridgeAt > endedAt + onItsWayMs)
      found.add('late', `a lock arrived ${bridgeAt - endedAt} ms after the end of its hold`, known)
  }
  const [, group_, index] = command.target.split('-').map(Number) as [number, number, number]
  const since = around.fireSince(wingOfDoor(group_ * 4 + index), arrival.at)
  found.looked('fire')
  if (since !== null && arrival.at - since > fireReadMs + slackMs)
    found.add('fire', `a lock arrived ${arrival.at - since} ms after fire broke out`, known)
}

const promptly = (command: StoredCommand, arrivals: readonly ArrivalRow[], around: Around): void => {
  const { times, found } = around
  const [first] = arrivals
  const openedAt = around.openedAt(incidentOf(command))
  if (!first || openedAt === null) return
  const group = groupOf(command.target)
  if (isDisturbed(times, group, openedAt, first.at)) return
  found.looked('waits')
  const starvedMs = times.starvedMs(openedAt, first.at)
  const lateMs = first.at - openedAt - starvedMs
  const isTakenOver = isCarriedBadly(times, group, openedAt, first.at)
  if (lateMs > atOnceMs + (isTakenOver ? takeOverMs : 0))
    found.add('waits', `${command.target} was well and was told ${lateMs} ms after the press`, {
      command,
      arrivals,
      openedAt,
      starvedMs,
      windows: times.windows.filter(({ from, to }) => from <= first.at && to >= openedAt - recoveryMs.target),
    })
}

/** The faults that may have to do with it, for whoever reads the report. */
const near = (times: Times, group: string, from: number, to: number) =>
  times.windows.filter(
    (window) =>
      (window.on === '' || window.on === group) && window.from <= to + slackMs && window.to >= from - 5_000,
  )
