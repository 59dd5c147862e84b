import type { Json } from '../fact.ts'

type Fields = { readonly [name: string]: Json | undefined }

/** A field that only runs have: names those of their fields that are lists, one value an entry. No entry has such a name. */
const inTurn = 'in turn'

/**
 * The entries of a row as the file has them. What entries of the same fields in a row say alike is written once, and the ids
 * of commands without their incident's, with which they begin: what ten targets are told would otherwise take four times
 * as much, in the journal, in the file and on the way there.
 */
export const payloadOf = (entries: readonly Json[]): string => {
  if (entries.length < 2) return JSON.stringify(entries)
  const items: Json[] = []
  for (let from = 0; from < entries.length; ) {
    const names = namesOf(entries[from] as Json)
    const rows = names.length === 0 ? [] : rowsFrom(entries, from, names)
    items.push(rows.length < 2 ? (entries[from] as Json) : runOf(names, rows))
    from += Math.max(1, rows.length)
  }
  return JSON.stringify(items)
}

/** The entries in a payload, also in one of an earlier version, which has them one by one. */
export const entriesIn = (payload: string): readonly Json[] => {
  const entries: Json[] = []
  for (const item of JSON.parse(payload) as readonly Json[])
    if (isFields(item) && item[inTurn] !== undefined) entries.push(...unrolled(item))
    else entries.push(item)
  return entries
}

/** The values of one entry, in the order of its names. */
type Row = (Json | undefined)[]

const isFields = (value: Json): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const namesOf = (entry: Json): readonly string[] => (isFields(entry) ? Object.keys(entry) : [])

/** The entries from one place on, as far as they have these names in this order and come out of a run as they go in. */
const rowsFrom = (entries: readonly Json[], from: number, names: readonly string[]): Row[] => {
  const rows: Row[] = []
  const incident = names.indexOf('incident')
  const id = names.indexOf('command')
  for (let at = from; at < entries.length; at++) {
    const entry = entries[at] as Json
    if (at > from && !isEqual(namesOf(entry), names)) break
    const row: Row = Object.values(entry as Fields)
    if (row.includes(undefined)) break
    if (id >= 0) {
      const command = row[id]
      if (typeof command === 'string' && command.startsWith('/')) break
      row[id] = shortId(command, row[incident])
    }
    rows.push(row)
  }
  return rows
}

const isEqual = (a: readonly string[], b: readonly string[]): boolean => {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}

const runOf = (names: readonly string[], rows: readonly Row[]): Fields => {
  const [first] = rows as [Row]
  const lists: string[] = []
  const run: { [name: string]: Json | undefined } = { [inTurn]: lists }
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string
    // A run has at least one list, which says how long it is.
    const isLast = lists.length === 0 && index === names.length - 1
    if (!isLast && isSame(rows, index)) run[name] = first[index]
    else {
      lists.push(name)
      run[name] = rows.map((row) => row[index] as Json)
    }
  }
  return run
}

const isSame = (rows: readonly Row[], index: number): boolean => {
  const value = rows[0]?.[index]
  for (const row of rows) if (row[index] !== value) return false
  return true
}

const unrolled = ({ [inTurn]: lists, ...fields }: Fields): Fields[] => {
  const names = lists as readonly string[]
  const count = (fields[names[0] as string] as readonly Json[]).length
  return Array.from({ length: count }, (_, index) => {
    const entry: { [name: string]: Json | undefined } = { ...fields }
    for (const name of names) entry[name] = (fields[name] as readonly Json[])[index]
    if ('command' in entry) entry['command'] = longId(entry['command'], entry['incident'])
    return entry
  })
}

const shortId = (command: Json | undefined, incident: Json | undefined): Json | undefined =>
  typeof command === 'string' &&
  typeof incident === 'string' &&
  command[incident.length] === '/' &&
  command.startsWith(incident)
    ? command.slice(incident.length)
    : command

const longId = (command: Json | undefined, incident: Json | undefined): Json | undefined =>
  typeof command === 'string' && typeof incident === 'string' && command.startsWith('/')
    ? incident + command
    : command
