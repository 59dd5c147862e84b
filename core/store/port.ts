import type { Clock } from '../clock.ts'
import type { Effect } from '../command.ts'
import type { Json } from '../fact.ts'

/**
 * The port between the bridge and whatever keeps its records. The core makes every id and decides; the store checks
 * only that the epoch is its own, that a press key is unused, and that an attempt's end matches its start.
 * `thread.ts` (a thread of its own, the program) and `inline.ts` (same process, simulations) both implement it.
 *
 * Beyond the list in the mechanics:
 * - `answered` looks a press key up in memory, so that a repeat needs no planning. A key counts from the moment of
 *   `commit`; who finds one still commits, and so is told only once the first is on disk.
 * - `Committed` tells a set that was refused (a defect, or another owner) from one that found no disk.
 * - An incident has `kept`: held as evidence, so never pruned.
 * - `UnfinishedCommand` has `inFlight` and `crashed`, which the rule of three crashes needs.
 * - `register` instead of `devices`: all of it is read by `open`, since all of it is needed at once.
 * - `health` is synchronous, and `StoreOptions.changed` pushes it. `check` is SQLite's quick_check.
 * - A `starts` row must raise the attempt; a `retries` or `settles` row must name the last one. Else the set is refused;
 *   where a journal has answered before that is found, `StoreOptions.misfit` hears of it.
 * - A key is used for a day, as `answered` says: then the same one is another press, and so is one of today that memory has
 *   forgotten (it holds 50,000) and a journal has answered.
 */
export interface Store {
  /**
   * Migrates, takes an epoch and reads what is open. Rejects with DATA_IN_USE, SCHEMA_TOO_NEW or STORE_FAILED (no
   * rights, no directory). A full or damaged disk does not reject: see `Opened.health`.
   */
  open(): Promise<Opened>
  /**
   * Applies a change set, whole or not at all. Sets are applied in the order of the calls.
   * `act` is called exactly once, as soon as the response may run: when the set is on disk, in the journal or in the file
   * of the store, which `due` and the reads below wait for; at once when the store is not recording or the commit in
   * flight has taken over 250 ms. It is not called for a duplicate or a refused set.
   * The promise settles only with the truth about the disk; it rejects only with what `act` threw.
   */
  commit(set: ChangeSet, act?: () => void): Promise<Committed>
  /** What was answered to this press key in the last 24 hours, on disk or not; null for a new key. */
  answered(source: string, key: string): Answered | null
  /**
   * Unfinished commands by due time, at most 1,000; `after` is the last one of the page before. This and the reads
   * below reject with STORE_FAILED while there is no file.
   */
  due(after: DueCursor | null, limit: number): Promise<readonly UnfinishedCommand[]>
  incident(id: string): Promise<IncidentRecord | null>
  /** The commands of an incident in the order in which they were made, 1,000 a page; `after` is `next` of the page before. */
  commandsOf(incident: string, after: number | null): Promise<Page<RecordedCommand, number>>
  /** The ids of all of them. */
  commandIdsOf(incident: string): Promise<readonly string[]>
  /** Newest first, 100 a page; `cursor` is `next` of the page before. */
  incidents(filter: IncidentFilter, cursor: number | null): Promise<Page<IncidentRow, number>>
  /** Trail rows from this sequence number on, at most 1,000. */
  trail(from: number, limit: number): Promise<readonly TrailRow[]>
  /** Those of one incident. */
  trailOf(incident: string, from: number, limit: number): Promise<readonly TrailRow[]>
  /**
   * Erases payloads and personal data of what ended before `before`, in slices of 200 rows or 5 ms between which commits
   * go first. Never an open or kept incident, never a live hold; the chain stays. `more`: the budget ran out.
   */
  prune(before: number, budgetMs: number): Promise<Pruned>
  /** Looks the whole file through for damage, off the alarm path; what is wrong, in words. For after the start. */
  check(): Promise<readonly string[]>
  /** SQLite's own online backup to a new file. */
  backup(path: string): Promise<void>
  health(): Health
  /** Commits what is waiting, then closes. Idempotent. */
  close(): Promise<void>
}

export interface StoreOptions {
  /** The data directory, or ':memory:'. */
  readonly dir: string
  readonly clock: Clock
  /**
   * What is open in the bridge's memory right now: open incidents, unfinished commands with their attempt, live holds,
   * devices, open faults, cursors, the config revisions of open incidents; any number of sets. Their trails are not
   * written. Asked for when a fresh file has to replace one that failed.
   */
  readonly state: () => readonly ChangeSet[]
  /** Called when recording stops or starts again, a commit stalls, or the ballast is gone or back. */
  readonly changed?: (health: Health) => void
  /**
   * Called for a change set that was told to be recorded, since the journal has it, and then did not fit the records: a
   * defect, since the core makes every id and decides.
   */
  readonly misfit?: (why: string) => void
  /** File that is sacrificed when the disk is full, bytes; default 64 MiB, 0 for none. */
  readonly ballastBytes?: number
  /** How long to wait for another process to leave the data directory, ms; default 10,000. */
  readonly ownerWaitMs?: number
}

export interface ChangeSet {
  /** ms since the epoch, by the core's clock */
  readonly at: number
  /**
   * true: somebody waits for the disk (facts, acknowledge, resolve, release, holds, starts of attempts).
   * false: rides in the next commit, at the latest 5 ms from now.
   */
  readonly waits: boolean
  readonly fact?: FactRow
  /** Upserts, the newest wins; where a device reads on. */
  readonly cursors?: readonly CursorRow[]
  /** Upserts. */
  readonly incidents?: readonly IncidentRow[]
  /** Inserts; one whose id exists is ignored, since ids are derived. */
  readonly commands?: readonly CommandRow[]
  /** The next attempts; when each began is for the trail to say. */
  readonly starts?: readonly { readonly command: string; readonly attempt: number; readonly at: number }[]
  /** An attempt ended without success; the command goes on later. */
  readonly retries?: readonly {
    readonly command: string
    readonly attempt: number
    readonly dueAt: number
    readonly effect: Effect
  }[]
  readonly settles?: readonly { readonly command: string; readonly attempt: number; readonly receipt: Json }[]
  /** Upserts. */
  readonly holds?: readonly HoldRow[]
  /** Upserts; see `core/register.ts`. */
  readonly register?: readonly RegisterRow[]
  /** Upserts. */
  readonly faults?: readonly FaultRow[]
  readonly revision?: RevisionRow
  /**
   * One chained row per change set, none when `entries` is empty. The row belongs to `incident` and to every string
   * found as `incident` in its entries.
   */
  readonly trail: { readonly incident: string | null; readonly entries: readonly Json[] }
}

export interface FactRow {
  /** The connector; keys are unique within it. */
  readonly source: string
  readonly key: string
  readonly id: string
  readonly incident: string | null
  /** What a retry is told. */
  readonly answer: Json
  readonly body: Json
  readonly cursor?: CursorRow
}

export interface CursorRow {
  readonly device: string
  readonly value: Json
}

export interface IncidentRow {
  readonly id: string
  /** The number that people say. */
  readonly number: number
  readonly open: boolean
  /** When to plan again, ms since the epoch; null: nothing to wait for. */
  readonly lookAt: number | null
  readonly openedAt: number
  /** The config revision that it is pinned to. */
  readonly revision: string
  /** Held as evidence: never pruned. Default false. */
  readonly kept?: boolean
  readonly body: Json
}

export interface CommandRow {
  readonly id: string
  readonly incident: string | null
  readonly target: string
  readonly dueAt: number
  readonly expiresAt: number | null
  /** 0: waiting; n: attempt n has started. */
  readonly attempt: number
  readonly body: Json
}

/** With its own copy of a message that it shares with others, unless that can't be read: see `messages.ts`. */
export interface UnfinishedCommand extends CommandRow {
  /** The last attempt has started and its end is not recorded: after a restart its effect is possible. */
  readonly inFlight: boolean
  /** Attempts whose end was never recorded, the one in flight included. */
  readonly crashed: number
  /** What the core said of the last ended attempt. */
  readonly effect: Effect
}

export interface HoldRow {
  readonly id: string
  readonly door: string
  readonly incident: string | null
  readonly mode: string
  /** ms since the epoch */
  readonly until: number
  readonly by: string
  /** When it was over, ms since the epoch; null while it lives. */
  readonly ended: number | null
  readonly body: Json
}

/** What retention has erased. */
export interface Pruned {
  readonly erased: number
  /** The budget ran out. */
  readonly more: boolean
  /** Hashes of the evidence that went with its incidents: their files are for the caller to remove. */
  readonly evidence: readonly string[]
}

/** What is kept of devices, people and places beside incidents: tests, assignments, inspections. */
export interface RegisterRow {
  readonly kind: string
  /** Unique within its kind. */
  readonly name: string
  /** null: erased. */
  readonly body: Json
}

export interface FaultRow {
  readonly id: string
  readonly openedAt: number
  readonly closedAt: number | null
  readonly body: Json
}

export interface RevisionRow {
  readonly id: string
  readonly config: Json
}

/** What a repeat of a fact is told. */
export interface Answered {
  readonly id: string
  readonly incident: string | null
  readonly answer: Json
}

export interface AnsweredKey extends Answered {
  readonly source: string
  readonly key: string
  readonly at: number
}

export type Committed =
  | { readonly recorded: true; readonly duplicate?: Answered }
  | {
      readonly recorded: false
      readonly because: 'not recording' | 'refused'
      readonly why: string
      /** A repeat of something that is only in memory so far. */
      readonly duplicate?: Answered
    }

export interface Opened {
  /** One higher than at any start before. */
  readonly epoch: number
  /** The newest time in the store, ms since the epoch; 0 when it is new. */
  readonly clockFloor: number
  readonly trailHead: TrailHead
  readonly openIncidents: readonly IncidentRow[]
  /** Every command that the open incidents have had, ended ones included: a derived id is made once. */
  readonly openCommands: readonly { readonly incident: string; readonly id: string }[]
  readonly nextIncidentNumber: number
  /** By due time, at most 20,000. */
  readonly unfinishedCommands: readonly UnfinishedCommand[]
  /** Where to go on with `due`; null when those are all. */
  readonly moreCommands: DueCursor | null
  readonly liveHolds: readonly HoldRow[]
  /** Of the last 24 hours, at most the 50,000 newest, oldest first. The store client knows them too: `answered`. */
  readonly keys: readonly AnsweredKey[]
  readonly cursors: readonly CursorRow[]
  readonly register: readonly RegisterRow[]
  readonly openFaults: readonly FaultRow[]
  /** The revisions that open incidents are pinned to. */
  readonly revisions: readonly RevisionRow[]
  /** What the life before did without a disk, as far as it could note it; its rows are in the lists above already. */
  readonly unrecorded: Unrecorded | null
  /** Parts that could not be read from a damaged file, in words; empty when all is well. */
  readonly unread: readonly string[]
  readonly health: Health
}

/** Done, and not on record. */
export interface Unrecorded {
  /** Rows to be written, together with `adopted`. */
  readonly incidents: readonly IncidentRow[]
  readonly holds: readonly HoldRow[]
  /** Ids of commands that were made or begun: they may have been done. */
  readonly commands: ReadonlySet<string>
  /** false: of what was open at `until` any command may have been done. */
  readonly isWhole: boolean
  /** The newest of it, ms since the epoch. */
  readonly until: number
  /** Once this row is on disk, incidents and holds are not told again. */
  readonly adopted: RegisterRow
}

export interface Health {
  readonly recording: boolean
  /** Why it is not recording, or why it had to start a fresh file; null when nothing happened. */
  readonly why: string | null
  /** Name of the file written to; null when there is none. */
  readonly file: string | null
  /** Rows in memory that wait for a disk, and rows that found no room there since recording stopped. */
  readonly buffered: number
  readonly lost: number
  /** How long the commit in flight has taken, ms; 0 when none is. */
  readonly inFlightMs: number
  /** Duration of the last commit, ms. */
  readonly lastCommitMs: number
  /** The ballast was deleted for want of space and is not back yet. */
  readonly ballastGone: boolean
  readonly trailHead: TrailHead
}

/** Where the trail ends; export it (log, mail), or a cut-off end would go unseen. */
export interface TrailHead {
  /** 0 before the first row */
  readonly seq: number
  /** hex */
  readonly chain: string
}

export interface TrailRow {
  readonly seq: number
  readonly at: number
  readonly incidents: readonly string[]
  /** null: erased by retention. */
  readonly entries: readonly Json[] | null
  /** hex */
  readonly chain: string
}

export interface IncidentRecord extends IncidentRow {
  readonly holds: readonly HoldRow[]
}

/** A command with its receipt; null while it has none. */
export interface RecordedCommand extends CommandRow {
  readonly receipt: Json | null
}

export interface IncidentFilter {
  readonly open?: boolean
}

export interface DueCursor {
  readonly dueAt: number
  readonly id: string
}

export interface Page<Row, Cursor> {
  readonly rows: readonly Row[]
  /** null: that was the last page. */
  readonly next: Cursor | null
}
