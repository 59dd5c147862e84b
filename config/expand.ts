import { z } from 'zod'
import type { Assignment } from '../core/people/assignments.ts'
import type { Problem } from '../core/site/explain.ts'
import { didYouMean } from '../core/site/suggest.ts'
import { parseInstant } from '../core/site/zone.ts'
import { CsvError, type List, type Row, readCsv } from './csv.ts'

type Path = readonly (string | number)[]
type Entry = Readonly<Record<string, unknown>>

/** Where a made device stands: at its template in the config, and in its row of a list. */
interface Origin {
  readonly key: string
  readonly list: string | null
  readonly line: number
}

/** A problem that is in a list, not in the config. */
export interface ListProblem {
  readonly list: string
  readonly line: number
  readonly message: string
}

/** The config with a device for each row and each number of its templates. */
export interface Expanded {
  readonly value: unknown
  readonly problems: readonly Problem[]
  readonly listProblems: readonly ListProblem[]
  /** Who carries what, as the lists say. */
  readonly assignments: ReadonlyMap<string, Assignment>
  /** Where a path of the expanded config stands in the written one, or in which list. */
  origin(path: Path): { readonly path: Path; readonly list: string | null; readonly line: number }
}

const isMap = (value: unknown): value is Entry =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** The lists that a config names. */
export const listsOf = (value: unknown): string[] => {
  const devices = isMap(value) ? value['devices'] : undefined
  const from = Object.values(isMap(devices) ? devices : {}).map((entry) =>
    isMap(entry) ? entry['from'] : undefined,
  )
  return [...new Set(from.filter((path) => typeof path === 'string'))]
}

/** What stands beside the other fields of a device when it is a template for the rows of a list. */
export const ListFields = z.object({
  from: z
    .string()
    .optional()
    .describe(
      'Path of a CSV file beside the config: a device for each row, with `{column}` in any text of this entry replaced by its value.',
    ),
  name: z.string().optional().describe('With `from`: name of each device; default KEY-{first column}.'),
  role: z.string().optional().describe('With `from`: what the person is by profession, such as `{job}`.'),
  since: z
    .string()
    .optional()
    .describe('With `from`: since when the person carries it; default: when the file was changed.'),
  until: z.string().optional().describe('With `from`: until when the person carries it.'),
})

/** Devices that one range makes at most. */
const rangeMax = 10_000
const range = /\{(\d{1,9})\.\.(\d{1,9})\}/g

/** Puts a device in place of each row of `from`, and of each number of `{1..16}`. Pure. */
export const expand = (value: unknown, lists: ReadonlyMap<string, List | string>): Expanded => {
  const made = new Making(isMap(value) ? value : {}, lists)
  if (!isMap(value) || !isMap(value['devices'])) return made.done(value)
  for (const [key, entry] of Object.entries(value['devices'])) {
    if (!isMap(entry)) made.add(key, entry, { key, list: null, line: 0 })
    else if (entry['from'] !== undefined) made.rows(key, entry)
    else if (key.match(range)) made.range(key, entry)
    else made.add(key, entry, { key, list: null, line: 0 })
  }
  return made.done({ ...value, devices: made.devices })
}

class Making {
  readonly devices: Record<string, unknown> = {}
  readonly #problems: Problem[] = []
  readonly #listProblems: ListProblem[] = []
  readonly #assignments = new Map<string, Assignment>()
  readonly #origins = new Map<string, Origin>()
  readonly #lists: ReadonlyMap<string, List | string>
  readonly #zone: string

  constructor(config: Entry, lists: ReadonlyMap<string, List | string>) {
    this.#lists = lists
    const { timezone } = (isMap(config['site']) ? config['site'] : {}) as { timezone?: unknown }
    this.#zone = isZone(timezone) ? timezone : 'UTC'
  }

  done(value: unknown): Expanded {
    return {
      value,
      problems: this.#problems,
      listProblems: this.#listProblems,
      assignments: this.#assignments,
      origin: (path) => {
        const found = path[0] === 'devices' ? this.#origins.get(String(path[1])) : undefined
        if (!found) return { path, list: null, line: 0 }
        return { path: ['devices', found.key, ...path.slice(2)], list: found.list, line: found.line }
      },
    }
  }

  add(name: string, entry: unknown, origin: Origin): void {
    if (Object.hasOwn(this.devices, name)) {
      const message = `the device \`${name.slice(0, 60)}\` is there already`
      if (origin.list === null) this.#say([origin.key], message)
      else this.#listProblems.push({ list: origin.list, line: origin.line, message })
      return
    }
    this.devices[name] = entry
    this.#origins.set(name, origin)
  }

  /** A device for each row of the list; who carries it, and since when, is an assignment and no config. */
  rows(key: string, entry: Entry): void {
    const { from } = entry
    const list = typeof from === 'string' ? this.#lists.get(from) : undefined
    if (typeof from !== 'string') this.#say([key, 'from'], '`from`: write the path of a CSV file')
    else if (list === undefined || typeof list === 'string')
      this.#say([key, 'from'], `\`${from}\` can't be read${list === undefined ? '' : `: ${list}`}`)
    else
      try {
        this.#table(key, entry, list)
      } catch (error) {
        if (!(error instanceof CsvError)) throw error
        this.#listProblems.push({ list: list.path, line: error.line, message: error.message })
      }
  }

  #table(key: string, entry: Entry, list: List): void {
    const { from: _, name, role, since, until, ...template } = entry
    const { columns, rows } = readCsv(list.text)
    this.#unknownColumns(key, entry, columns)
    const naming = typeof name === 'string' ? name : `${key}-{${columns[0]}}`
    for (const row of rows) {
      const { person, ...device } = fill(template, row.values) as Record<string, unknown>
      const made = fill(naming, row.values) as string
      this.add(made, device, { key, list: list.path, line: row.line })
      this.#assign(made, fill({ person, role, since, until }, row.values) as Entry, list, row)
    }
  }

  #assign(device: string, { person, role, since, until }: Entry, list: List, row: Row): void {
    if (typeof person !== 'string' || person === '') return
    const at = (text: unknown, otherwise: number | null): number | null => {
      if (typeof text !== 'string' || text === '') return otherwise
      const found = parseInstant(this.#zone, text)
      if (found !== null) return found
      const message = `\`${text.slice(0, 40)}\` is no date: write 2026-11-22, or 2026-11-22 07:00`
      this.#listProblems.push({ list: list.path, line: row.line, message })
      return otherwise
    }
    this.#assignments.set(device, {
      person: person.slice(0, 100),
      role: typeof role === 'string' && role !== '' ? role.slice(0, 60) : null,
      since: at(since, list.changedAt) as number,
      until: at(until, null),
      by: list.path,
    })
  }

  /** The n-th device has the n-th number of each range in its entry. */
  range(key: string, entry: Entry): void {
    const lengths = new Set(rangesIn([key, entry]).map(([from, to]) => to - from + 1))
    const [length = 0] = lengths
    if (lengths.size > 1)
      this.#say([key], `the ranges of \`${key}\` are of different lengths: ${[...lengths].join(', ')}`)
    else if (length < 1 || length > rangeMax)
      this.#say([key], `a range counts up, over at most ${rangeMax} devices`)
    else
      for (let n = 0; n < length; n++)
        this.add(String(number(key, n)), number(entry, n), { key, list: null, line: 0 })
  }

  #unknownColumns(key: string, entry: Entry, columns: readonly string[]): void {
    const wanted = new Set(
      JSON.stringify(entry)
        .match(/\{[^{}"]{1,60}\}/g)
        ?.map((name) => name.slice(1, -1)),
    )
    for (const name of wanted)
      if (!columns.includes(name))
        this.#say([key], `there is no column \`${name}\` in ${entry['from']}: ${didYouMean(name, columns)}`)
  }

  #say(path: Path, message: string): void {
    this.#problems.push({ path: ['devices', ...path], message, fatal: true })
  }
}

const isZone = (zone: unknown): zone is string => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: String(zone) })
    return typeof zone === 'string'
  } catch {
    return false
  }
}

/** Every text of a value, changed; the rest as it is. */
const mapTexts = (value: unknown, change: (text: string) => unknown): unknown => {
  if (typeof value === 'string') return change(value)
  if (Array.isArray(value)) return value.map((inner) => mapTexts(inner, change))
  if (!isMap(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [String(change(key)), mapTexts(inner, change)]),
  )
}

const fill = (template: unknown, values: Row['values']): unknown =>
  mapTexts(template, (text) => text.replaceAll(/\{([^{}]{1,60})\}/g, (all, name) => values[name] ?? all))

const rangesIn = (value: unknown): [number, number][] => {
  const found: [number, number][] = []
  mapTexts(value, (text) => {
    for (const [, from, to] of text.matchAll(range)) found.push([Number(from), Number(to)])
    return text
  })
  return found
}

/** A text that is nothing but a range becomes a number: `discrete: "{20..35}"`. */
const number = (value: unknown, n: number): unknown =>
  mapTexts(value, (text) => {
    const whole = /^\{(\d{1,9})\.\.\d{1,9}\}$/.exec(text)
    return whole ? Number(whole[1]) + n : text.replaceAll(range, (_, from) => String(Number(from) + n))
  })
