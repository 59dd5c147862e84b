import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChangeSet, HoldRow, IncidentRow, Opened, RegisterRow, Unrecorded } from './port.ts'

/** Each of the two halves of the file, bytes: some 6,000 ids of commands, or 300 incidents. */
const halfBytes = 524_288

/** A line of the file; the first one of a half says which notes these are, and holds all that was noted before. */
interface Line {
  /** The notes of one time without a disk; when it began, so that it is never used twice. */
  readonly of?: number
  /** Counts the halves as they are begun: the higher one is newer. */
  readonly turn?: number
  readonly isWhole?: boolean
  readonly at: number
  readonly incidents: readonly IncidentRow[]
  readonly holds: readonly HoldRow[]
  readonly commands: readonly string[]
}

const kind = 'unrecorded'

/** The register's row that says: what these notes tell is on record now. */
const adoptedRow = (of: number): RegisterRow => ({ kind, name: 'adopted', body: of })

/** Which notes a store's file has adopted. */
export const adoptedIn = (register: readonly RegisterRow[]): number =>
  Number(register.find((row) => row.kind === kind)?.body ?? 0)

type Found = Pick<Opened, 'openIncidents' | 'liveHolds' | 'nextIncidentNumber' | 'clockFloor'>

/** What a file gives, with what was noted beside it: of incidents and holds the notes know the newer state. */
export const withNoted = <File extends Found>(
  found: File,
  unrecorded: Unrecorded | null,
): File & { readonly unrecorded: Unrecorded | null } => {
  if (!unrecorded) return { ...found, unrecorded }
  const { incidents, holds, until } = unrecorded
  return {
    ...found,
    openIncidents: latest([...found.openIncidents, ...incidents]).sort((a, b) => a.number - b.number),
    liveHolds: latest([...found.liveHolds, ...holds]).filter(({ ended }) => ended === null),
    nextIncidentNumber: Math.max(found.nextIncidentNumber, ...incidents.map(({ number }) => number + 1)),
    clockFloor: Math.max(found.clockFloor, until),
    unrecorded,
  }
}

/**
 * What is done while there is no disk, or while a commit takes long, for the next life of the bridge: without it that one
 * would do it all again as if never done, and know nothing of a door that was locked. The file has its room from the start
 * and is written over in place, so that a full disk takes nothing from it; a disk that can't be written at all does. No
 * promise rests on it: what is noted here is answered as not recorded.
 */
export class Notes {
  readonly #path: string
  #hasRoom = false
  /** Open from the first note to the last. */
  #file: FileHandle | null = null
  #of = 0
  #turn = 0
  /** Where the half that is written goes on. */
  #end = 0
  #last = 0
  readonly #incidents = new Map<string, IncidentRow>()
  readonly #holds = new Map<string, HoldRow>()
  readonly #commands = new Set<string>()
  #isWhole = true
  #isBegun = false
  #pending = ''
  #anew = false
  #writing: Promise<void> | null = null

  constructor(dir: string) {
    this.#path = dir === ':memory:' ? '' : join(dir, 'unrecorded')
  }

  /**
   * Reads what the life before has noted; null when that is nothing, or nobody's business any more. `adopted`: which
   * notes are on record; `floor`: the newest time on record. What was noted before that, while a commit took long, is on
   * record too, since sets are recorded in their order, and may have changed there. Never rejects: a start waits for no
   * file that only an accident needs.
   */
  async open({ adopted, floor }: { adopted: number; floor: number }): Promise<Unrecorded | null> {
    if (this.#path === '') return null
    try {
      const lines = await this.#newest()
      const [first] = lines
      if (!first) return null
      this.#of = first.of ?? 0
      this.#turn = first.turn ?? 0
      this.#isWhole = first.isWhole ?? true
      const news = this.#of > adopted ? lines.filter(({ at }) => at >= floor) : []
      const incidents = latest(news.flatMap((line) => line.incidents))
      const holds = latest(news.flatMap((line) => line.holds))
      const commands = new Set(lines.flatMap((line) => line.commands))
      if (incidents.length + holds.length + commands.size === 0 && this.#isWhole) return null
      return {
        incidents,
        holds,
        commands,
        isWhole: this.#isWhole,
        until: Math.max(...lines.map(({ at }) => at)),
        adopted: adoptedRow(this.#of),
      }
    } catch {
      return null
    }
  }

  /** Makes the room, where it is missing. Never rejects. */
  async makeRoom(): Promise<void> {
    if (this.#path === '' || this.#hasRoom) return
    const file = await open(this.#path, 'a', 0o600).catch(() => null)
    try {
      const { size } = (await file?.stat()) ?? { size: 0 }
      const missing = 2 * halfBytes - size
      if (missing > 0) await file?.write(Buffer.alloc(missing))
      this.#hasRoom = file !== null
    } catch {
      // No room for it: what is done without a disk is known to this life alone.
    } finally {
      await file?.close().catch(() => {})
    }
    this.#write()
  }

  /** What earlier notes say may have been done, and may still be made again: it belongs to whatever is noted next. */
  keep(commands: Iterable<string>): void {
    for (const id of commands) this.#commands.add(id)
  }

  /** A change set takes effect that is not on disk. */
  note({ at, incidents = [], holds = [], commands = [], starts = [] }: ChangeSet): void {
    if (incidents.length + holds.length + commands.length + starts.length === 0) return
    for (const row of incidents) this.#incidents.set(row.id, row)
    for (const row of holds) this.#holds.set(row.id, row)
    const ids = [...commands.map(({ id }) => id), ...starts.map(({ command }) => command)]
    for (const id of ids) this.#commands.add(id)
    this.#last = Math.max(this.#last, at)
    if (!this.#isBegun) {
      this.#isBegun = true
      this.#of = Math.max(this.#of + 1, at)
      this.#anew = true
    } else this.#pending += lineOf({ at, incidents, holds, commands: this.#isWhole ? ids : [] })
    this.#write()
  }

  /** All that was noted is on record: for the set that records it. */
  get adopted(): RegisterRow {
    return adoptedRow(this.#of)
  }

  /** What was noted while a commit took long is on disk, or will be noted again: it has no part in what is written anew. */
  landed(): void {
    this.#incidents.clear()
    this.#holds.clear()
  }

  /** All that was noted is on disk. */
  clear(): void {
    if (!this.#isBegun) return
    this.#isBegun = false
    this.landed()
    this.#commands.clear()
    this.#isWhole = true
    this.#anew = true
    this.#write()
  }

  async close(): Promise<void> {
    while (this.#writing) await this.#writing
    await this.#leave()
  }

  #write(): void {
    if (this.#hasRoom && !this.#writing && this.#isBehind) this.#writing = this.#writeAll()
  }

  get #isBehind(): boolean {
    return this.#anew || this.#pending !== ''
  }

  async #writeAll(): Promise<void> {
    let failed = false
    try {
      this.#file ??= await open(this.#path, 'r+')
      const file = this.#file
      while (this.#isBehind) {
        const bytes = Buffer.from(`${this.#pending}\0`)
        this.#pending = ''
        if (this.#anew || this.#end + bytes.length > halfBytes) await this.#begin(file)
        else {
          await file.write(bytes, 0, bytes.length, (this.#turn % 2) * halfBytes + this.#end)
          this.#end += bytes.length - 1
        }
      }
    } catch {
      // A disk that can't even be written over; the next note tries again, with all of them.
      failed = true
      this.#anew = true
      this.#pending = ''
    }
    if (!this.#isBegun) await this.#leave()
    this.#writing = null
    if (!failed) this.#write()
  }

  async #leave(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close().catch(() => {})
  }

  /** All of it into the other half, in one line: cut off, it doesn't count, and the half before does. */
  async #begin(file: FileHandle): Promise<void> {
    this.#anew = false
    this.#turn++
    const bytes = this.#all()
    await file.write(bytes, 0, bytes.length, (this.#turn % 2) * halfBytes)
    this.#end = bytes.length - 1
  }

  /** Where there is more than room for, ids are left out, then incidents, holds last: who is locked in matters most. */
  #all(): Buffer {
    const [incidents, holds, commands] = [
      [...this.#incidents.values()],
      [...this.#holds.values()],
      [...this.#commands],
    ]
    const said = { of: this.#of, turn: this.#turn, at: this.#last }
    const bytes = (line: Partial<Line>) =>
      Buffer.from(`${lineOf({ ...said, incidents: [], holds, commands: [], ...line })}\0`)
    const fits = (whole: Buffer) => whole.length <= halfBytes * 0.75
    const whole = this.#isWhole ? bytes({ isWhole: true, incidents, commands }) : null
    if (whole && fits(whole)) return whole
    this.#isWhole = false
    const known = bytes({ isWhole: false, incidents })
    const locked = bytes({ isWhole: false })
    return fits(known) ? known : fits(locked) ? locked : Buffer.alloc(1)
  }

  async #newest(): Promise<Line[]> {
    const file = await open(this.#path, 'r').catch(() => null)
    if (!file) return []
    const halves: Line[][] = []
    try {
      for (const half of [0, 1]) {
        const bytes = Buffer.alloc(halfBytes)
        const { bytesRead } = await file.read(bytes, 0, 1, half * halfBytes)
        if (bytesRead === 0 || bytes[0] === 0) continue
        await file.read(bytes, 0, halfBytes, half * halfBytes)
        const end = bytes.indexOf(0)
        halves.push(linesOf(bytes.toString('utf8', 0, end < 0 ? halfBytes : end)))
      }
    } finally {
      await file.close()
    }
    const newest = halves.sort((a, b) => (b[0]?.turn ?? 0) - (a[0]?.turn ?? 0))[0] ?? []
    return newest[0]?.of === undefined ? [] : newest
  }
}

const latest = <Row extends { readonly id: string }>(rows: readonly Row[]): Row[] => [
  ...new Map(rows.map((row) => [row.id, row])).values(),
]

const lineOf = (line: Line): string => `${JSON.stringify(line)}\n`

/** Those that are whole: a kill may have cut off the last one. */
const linesOf = (text: string): Line[] => {
  const lines: Line[] = []
  for (const json of text.split('\n')) {
    try {
      const line: Line = JSON.parse(json)
      const { at, incidents, holds, commands } = line
      if (!Number.isFinite(at) || ![incidents, holds, commands].every(Array.isArray)) break
      lines.push(line)
    } catch {
      break
    }
  }
  return lines
}
