import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { storeFiles } from '../../core/store/files.ts'
import { type Around, judgeCommand, type StoredCommand } from './commands.ts'
import { judgeDoor, type Turn } from './doors.ts'
import { wings } from './ground.ts'
import type { ArrivalRow, DoorRow, FireRow, PressRow, WiredRow } from './record.ts'
import type { Times } from './times.ts'
import { TrailWalk } from './trail.ts'
import type { Violations } from './violations.ts'

/** Rows that are read at a time: whoever reads for long keeps the bridge's log growing. */
const pageRows = 5_000

const reader = (file: string): DatabaseSync => new DatabaseSync(file, { readOnly: true, timeout: 5_000 })

/** Facts by their key and incidents by their id, in files that are there now. */
interface Records {
  readonly facts: readonly { get(key: string): any }[]
  readonly known: readonly { get(id: string): any }[]
}

const recordsOf = (stores: readonly DatabaseSync[]): Records => ({
  facts: stores.map((store) =>
    store.prepare("SELECT id, incident, at FROM fact WHERE source = 'buttons' AND key = ?"),
  ),
  known: stores.map((store) => store.prepare('SELECT 1 FROM incident WHERE id = ?')),
})

/** What is acknowledged and has no fact of its own: only counted, or lost. */
interface Uncounted {
  readonly press: PressRow
}

/** Holds what the devices have seen against what the bridge has on disk, as a stream. */
export class Judge {
  readonly #record: string
  readonly #data: string
  readonly #found: Violations
  #pressed = -1
  readonly #uncounted: Uncounted[] = []

  constructor(record: string, data: string, found: Violations) {
    this.#record = record
    this.#data = data
    this.#found = found
  }

  /** Presses that were acknowledged since the last look; while the bridge runs, too. What is too young may be under way. */
  presses(times: Times): void {
    if (!existsSync(join(this.#data, 'duress.db'))) return
    const record = reader(this.#record)
    const stores = storeFiles(this.#data).reverse().map(reader)
    try {
      const page = record.prepare('SELECT rowid AS r, * FROM press WHERE rowid > ? ORDER BY rowid LIMIT ?')
      const on = recordsOf(stores)
      // Acknowledged in another order than pressed: a late one is looked at by the last look, which begins anew.
      for (let rows: any[] | null = null; !rows || rows.length === pageRows; ) {
        rows = page.all(this.#pressed, pageRows)
        for (const press of rows) this.#press(press, on, times)
        this.#pressed = rows.at(-1)?.r ?? this.#pressed
      }
    } finally {
      for (const db of [record, ...stores]) db.close()
    }
  }

  #press(press: PressRow, { facts, known }: Records, times: Times): void {
    this.#found.looked('recorded')
    const key = `"b${press.button}" p-${press.n}`
    let fact: any
    for (const statement of facts) fact ??= statement.get(key)
    if (!fact) {
      this.#uncounted.push({ press })
      return
    }
    if (press.sends === 1) times.learn(press.sentAt, fact.at)
    if (fact.id !== press.event || fact.incident !== press.incident)
      this.#found.add('recorded', 'acknowledged as another press than recorded', { press, fact })
    if (!known.some((statement) => statement.get(press.incident)))
      this.#found.add('recorded', 'acknowledged for an incident that is not there', { press, fact })
  }

  /** All the rest, when nothing runs any more. `doorsAtEnd` is how the mock doors were left. */
  end(
    times: Times,
    doorsAtEnd: { readonly [door: string]: string },
  ): { commands: number; receipts: number; incidents: number } {
    this.presses(times)
    const record = reader(this.#record)
    const files = storeFiles(this.#data)
    const stores = files.map(reader)
    try {
      // What was looked at right after its acknowledgement was in the journal alone.
      const on = recordsOf([...stores].reverse())
      for (const { press } of this.#uncounted.splice(0)) this.#press(press, on, times)
      const walk = new TrailWalk(this.#found)
      for (const [index, store] of stores.entries()) {
        if (index > 0) walk.nextFile()
        followTrail(store, anchorOf(stores[index + 1]), walk)
      }
      walk.end()
      this.#countSummaries(walk)
      const around = this.#around(record, times, walk)
      const commands = this.#commands(stores, record, around, walk)
      this.#doors(record, walk, times, doorsAtEnd)
      this.#wired(record, stores)
      let incidents = 0
      for (const store of stores)
        incidents = Math.max(
          incidents,
          Number(store.prepare('SELECT max(number) AS n FROM incident').get()?.['n']),
        )
      return { commands, receipts: walk.receipts, incidents }
    } finally {
      for (const db of [record, ...stores]) db.close()
    }
  }

  /** What chatters is counted on the trail instead of recorded. */
  #countSummaries(walk: TrailWalk): void {
    const left = new Map(walk.summarised)
    for (const { press } of this.#uncounted) {
      const count = left.get(press.incident) ?? 0
      if (count > 0 && press.duplicate === 1) left.set(press.incident, count - 1)
      else this.#found.add('recorded', 'acknowledged, and not there', { press })
    }
  }

  #around(record: DatabaseSync, times: Times, walk: TrailWalk): Around {
    const before = record.prepare('SELECT mode FROM door WHERE door = ? AND at <= ? ORDER BY at DESC LIMIT 1')
    const during = record.prepare('SELECT 1 FROM door WHERE door = ? AND mode = ? AND at BETWEEN ? AND ?')
    const opened = record.prepare('SELECT sentAt FROM opened WHERE incident = ?')
    const fires = wings.map(
      (wing) =>
        record
          .prepare('SELECT at, active FROM fire WHERE wing = ? ORDER BY at')
          .all(wing) as unknown as FireRow[],
    )
    return {
      times,
      found: this.#found,
      openedAt: (incident) => (opened.get(incident)?.['sentAt'] as number | undefined) ?? null,
      fireSince: (wing, at) => {
        const last = fires[wing]?.findLast((change) => change.at <= at)
        return last?.active === 1 ? last.at : null
      },
      doorWas: (door, mode, from, to) =>
        before.get(door, from)?.['mode'] === mode || during.get(door, mode, from, to) !== undefined,
      holdEnded: (lock) => walk.ended.get(lock) ?? null,
    }
  }

  #commands(stores: readonly DatabaseSync[], record: DatabaseSync, around: Around, walk: TrailWalk): number {
    const arrivals = record.prepare('SELECT * FROM arrival WHERE command = ? ORDER BY at')
    let count = 0
    /** Where a file goes on in another one, what was unfinished is in both: the newer is right. */
    const seen = new Set<string>()
    for (const store of [...stores].reverse()) {
      const page = store.prepare(
        'SELECT n, id, target, body, expires_at, receipt FROM command WHERE n > ? ORDER BY n LIMIT ?',
      )
      let last = -1
      for (let rows: any[] | null = null; !rows || rows.length === pageRows; ) {
        rows = page.all(last, pageRows)
        for (const row of rows) {
          if (seen.has(row.id)) continue
          if (stores.length > 1) seen.add(row.id)
          count++
          const stored = storedOf(row)
          const receipt = stored.receipt ?? walk.late.get(row.id) ?? null
          judgeCommand({ ...stored, receipt }, arrivals.all(row.id) as unknown as ArrivalRow[], around)
        }
        last = rows.at(-1)?.n ?? last
      }
    }
    return count
  }

  #doors(
    record: DatabaseSync,
    walk: TrailWalk,
    times: Times,
    atEnd: { readonly [door: string]: string },
  ): void {
    const modes = record.prepare('SELECT at, door, mode FROM door WHERE door = ? ORDER BY at')
    for (const [door, mode] of Object.entries(atEnd)) {
      this.#found.looked('held')
      if (mode !== 'unlocked') this.#found.add('held', `${door} was left ${mode}`, { door })
      const turns: Turn[] = (walk.holds.get(door) ?? []).map(({ at, is }) => ({ at: times.ours(at), is }))
      judgeDoor(door, modes.all(door) as unknown as DoorRow[], turns, times, this.#found)
    }
  }

  /** Keypads acknowledge; a module counts or latches, so that each of its presses is heard, alone or with the next one. */
  #wired(record: DatabaseSync, stores: readonly DatabaseSync[]): void {
    const rows = record.prepare('SELECT * FROM wired ORDER BY at').all() as unknown as WiredRow[]
    const made = new Map<string, number>()
    for (const { device } of rows) made.set(device, (made.get(device) ?? 0) + 1)
    for (const [device, count] of made) {
      this.#found.looked('recorded', count)
      let heard = 0
      for (const store of stores)
        heard += Number(
          store
            .prepare(
              "SELECT count(*) AS n FROM fact WHERE source IN ('panel', 'keypads') AND body ->> '$.source.device' = ? AND body ->> '$.phase' = 'active'",
            )
            .get(device)?.['n'],
        )
      // Each keypad press has a sequence number of its own. A panel button may be pressed again before the bridge is back.
      if (device.startsWith('keypad') ? heard < count : heard === 0 && count > 0)
        this.#found.add('recorded', `${device} was pressed ${count} times and heard ${heard} times`, {
          device,
        })
    }
  }
}

const storedOf = (row: any): StoredCommand => {
  const { capability } = JSON.parse(row.body)
  const receipt = row.receipt === null ? null : JSON.parse(row.receipt)
  return { id: row.id, target: row.target, capability, expiresAt: row.expires_at, receipt }
}

/** After this row the next file goes on. */
const anchorOf = (next: DatabaseSync | undefined): number =>
  next ? Number(next.prepare('SELECT seq FROM anchor').get()?.['seq']) : Number.POSITIVE_INFINITY

/** Trail and facts side by side: they are in the same order, so that little has to be remembered. */
const followTrail = (store: DatabaseSync, until: number, walk: TrailWalk): void => {
  const facts = store
    .prepare("SELECT id, incident FROM fact WHERE source = 'buttons' AND body <> 'null' ORDER BY n")
    .iterate() as IterableIterator<any>
  let fact = facts.next()
  const rows = store
    .prepare('SELECT seq, at, payload FROM trail ORDER BY seq')
    .iterate() as IterableIterator<any>
  for (const { seq, at, payload } of rows) {
    if (seq > until) break
    walk.row(at, payload ?? '[]')
    while (!fact.done && walk.isTold(fact.value.id)) {
      walk.fact(fact.value.id, fact.value.incident)
      fact = facts.next()
    }
  }
  // Of a file that failed the last rows were never acknowledged.
  for (; !fact.done && until === Number.POSITIVE_INFINITY; fact = facts.next())
    walk.fact(fact.value.id, fact.value.incident)
}
