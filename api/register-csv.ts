import { CsvError, parse } from 'csv-parse/sync'
import { stringify } from 'csv-stringify/sync'
import type { Device, Site } from '../core/site/site.ts'
import { parseInstant } from '../core/site/zone.ts'
import type { Brought } from '../core/supervision/proofs.ts'
import type { Tested } from '../core/supervision/records.ts'
import type { Standing } from '../core/supervision/standing.ts'

/** As it goes out; coming in, the first of `wanted` are needed, `note` may be there, and the others say nothing new. */
const columns = ['device', 'at', 'by', 'note', 'how', 'outputs', 'stands', 'why', 'label', 'place'] as const
const wanted = ['device', 'at', 'by'] as const
/** Rows of one list; a site with more devices has several. They are one change set, for which presses wait. */
const rowsMax = 10_000
/** A list with more wrong rows is the wrong list. */
const problemsMax = 200
/** No test was before this, ms since the epoch. */
const earliest = Date.UTC(2000, 0, 1)
/** Clocks of two machines may differ so much, ms. */
const aheadMs = 5 * 60_000

/** Spreadsheets run what begins like this as a formula (OWASP, "CSV Injection"); the wide ones are the same to some. */
const formula = /^'*[=+\-@\t\r＝＋－＠]/u

/** A text that no spreadsheet takes for a formula; `plain` gives the text back. */
export const harmless = (text: string): string => (formula.test(text) ? `'${text}` : text)
export const plain = (cell: string): string =>
  cell.startsWith("'") && formula.test(cell.slice(1)) ? cell.slice(1) : cell

/** One row of the register as it goes out. */
export interface Row {
  readonly device: Device
  readonly standing: Standing
  readonly tested: Tested | undefined
}

/** The test register as CSV (RFC 4180), a device a line, times in UTC. */
export const toCsv = (rows: readonly Row[]): string =>
  stringify(rows.map(cellsOf), { header: true, columns: [...columns], record_delimiter: '\r\n' })

const cellsOf = ({ device, standing, tested }: Row): Record<(typeof columns)[number], string> => {
  const proof = tested?.proof
  const cells = {
    device: device.name,
    at: proof ? new Date(proof.at).toISOString() : '',
    by: proof?.by ?? '',
    note: proof?.note ?? '',
    how: proof?.how ?? '',
    outputs: (proof?.outputs ?? []).map(({ target, proof: by }) => `${target} (${by})`).join(', '),
    stands: standing.is,
    why: standing.why,
    label: device.label,
    place: device.place?.path ?? '',
  }
  return Object.fromEntries(
    Object.entries(cells).map(([name, text]) => [name, harmless(text)]),
  ) as typeof cells
}

/** Something wrong with a line of a list, the first being 1. */
export interface LineProblem {
  readonly line: number
  readonly message: string
}

export type ReadCsv =
  | { readonly rows: readonly Brought[]; readonly problems: readonly [] }
  | { readonly rows: null; readonly problems: readonly LineProblem[] }

/** Reads a list of tests; all of its problems at once, and then nothing of it is taken. */
export const fromCsv = (text: string, site: Pick<Site, 'devices' | 'timezone'>, now: number): ReadCsv => {
  const problems: LineProblem[] = []
  const say = (line: number, message: string) => void problems.push({ line, message })
  const table = readTable(text, say)
  const rows = table.flatMap((found) => rowOf(found, site, now, say) ?? [])
  if (problems.length === 0) return { rows, problems: [] }
  return { rows: null, problems: problems.slice(0, problemsMax) }
}

type Say = (line: number, message: string) => void
interface Found {
  readonly line: number
  readonly cells: ReadonlyMap<string, string>
}

const readTable = (text: string, say: Say): Found[] => {
  let records: { record: string[]; info: { lines: number } }[]
  try {
    records = parse(text, {
      bom: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      to: rowsMax + 2,
      max_record_size: 100_000,
    }) as unknown as typeof records
  } catch (error) {
    const line = error instanceof CsvError ? Number((error as { lines?: number }).lines ?? 1) : 1
    say(line, 'this is not CSV: check the quotes')
    return []
  }
  const [head, ...body] = records
  if (!head) {
    say(1, `the first line names the columns: ${wanted.join(', ')} and, if you like, note`)
    return []
  }
  const names = head.record.map((name) => plain(name).toLowerCase())
  for (const name of wanted) if (!names.includes(name)) say(1, `there is no column \`${name}\``)
  for (const [index, name] of names.entries())
    if (!columns.some((known) => known === name)) say(1, `unknown column \`${name.slice(0, 40)}\``)
    else if (names.indexOf(name) !== index) say(1, `the column \`${name}\` is there twice`)
  if (body.length > rowsMax) say(rowsMax + 2, `at most ${rowsMax} rows`)
  return body.map(({ record, info }) => ({
    line: info.lines,
    cells: new Map(names.map((name, index) => [name, plain(record[index] ?? '')])),
  }))
}

const rowOf = (
  { line, cells }: Found,
  site: Pick<Site, 'devices' | 'timezone'>,
  now: number,
  say: Say,
): Brought | null => {
  const cell = (name: string) => cells.get(name) ?? ''
  const device = cell('device')
  const by = cell('by')
  // An exported line of a device that was never tested.
  if (device !== '' && cell('at') === '' && by === '') return null
  const at = parseInstant(site.timezone, cell('at'))
  if (!site.devices.has(device)) say(line, `there is no device \`${device.slice(0, 100)}\``)
  if (at === null || at < earliest)
    say(
      line,
      `\`${cell('at').slice(0, 40)}\` is no time of a test: write 2026-11-22 14:30, or 2026-11-22T14:30:00Z`,
    )
  else if (at > now + aheadMs) say(line, `\`${cell('at').slice(0, 40)}\` is still to come`)
  if (by === '' || by.length > 100 || /\p{Cc}/u.test(by)) say(line, '`by` is a name of 1 to 100 characters')
  if (cell('note').length > 2_000) say(line, '`note` has at most 2,000 characters')
  return { device, at: at ?? 0, by, note: cell('note') }
}
