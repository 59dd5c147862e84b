import { basename } from 'node:path'
import { genesis } from '../trail/chain.ts'
import { encode, encodeKey, type Value } from './encode.ts'
import type { Filed } from './journal.ts'
import type { Loaded } from './load.ts'
import type { ChangeSet, Opened, TrailHead } from './port.ts'
import type { Engine } from './sqlite.ts'
import { madeRow } from './stored.ts'

export type OpenedFile = Omit<Opened, 'health' | 'unrecorded'> & {
  readonly file: string | null
  /** Why it isn't recording, or why this is a fresh file. */
  readonly trouble: string | null
  readonly recording: boolean
  /** For the journal: where it goes on. */
  readonly filed: Filed
}

/** `engine` null: what was read is all there is, and nothing can be written. */
export const opened = (
  loaded: Loaded,
  epoch: number,
  engine: Engine | null,
  more: Pick<OpenedFile, 'trouble' | 'filed'>,
): OpenedFile => {
  const { head, ...rest } = loaded
  return {
    ...rest,
    epoch,
    trailHead: engine?.head ?? headOf(head),
    file: engine ? basename(engine.path) : null,
    recording: engine !== null,
    ...more,
  }
}

export const headOf = ({ seq, chain }: Loaded['head']): TrailHead => ({
  seq,
  chain: Buffer.from(chain).toString('hex'),
})

/** What a file gives of which nothing can be read. */
export const nothing = (why: string): Loaded => ({
  epoch: 0,
  clockFloor: 0,
  head: { seq: 0, chain: genesis },
  openIncidents: [],
  openCommands: [],
  nextIncidentNumber: 1,
  unfinishedCommands: [],
  moreCommands: null,
  liveHolds: [],
  keys: [],
  cursors: [],
  register: [],
  openFaults: [],
  revisions: [],
  unread: [why],
})

/** What was read of a damaged file, as the rows of a fresh one. */
export const stateOf = (loaded: Loaded, at: number): Value[] => {
  const flat: Value[] = []
  const set = (part: Partial<ChangeSet>) =>
    encode({ at, waits: false, trail: { incident: null, entries: [] }, ...part }, flat)
  for (const revision of loaded.revisions) set({ revision })
  const made = Map.groupBy(loaded.openCommands, ({ incident }) => incident)
  const madeRows = [...made].map(([incident, commands]) =>
    madeRow(
      incident,
      commands.map(({ id }) => id),
    ),
  )
  set({
    incidents: loaded.openIncidents,
    holds: loaded.liveHolds,
    register: [...loaded.register, ...madeRows],
  })
  set({ cursors: loaded.cursors, faults: loaded.openFaults, commands: loaded.unfinishedCommands })
  set({ retries: loaded.unfinishedCommands.filter(({ inFlight }) => !inFlight).map(ended) })
  for (const key of loaded.keys) encodeKey(key, flat)
  return flat
}

const ended = ({ id, attempt, dueAt, effect }: Loaded['unfinishedCommands'][number]) => ({
  command: id,
  attempt,
  dueAt,
  effect,
})
