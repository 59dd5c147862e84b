import { parse } from 'csv-parse/sync'

/** A list that a config takes devices from. */
export interface List {
  /** As it is told to people. */
  readonly path: string
  readonly text: string
  /** When the file was changed last, ms since the epoch. */
  readonly changedAt: number
}

/** One row of a list. */
export interface Row {
  /** From 1. */
  readonly line: number
  readonly values: Readonly<Record<string, string>>
}

export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
}

const rowsMax = 50_000

/** Reads a CSV text whose first line names the columns. Throws what is wrong with it, in words, and `line` where it is. */
export const readCsv = (text: string): Table => {
  try {
    let columns: string[] = []
    const rows = parse(text, {
      bom: true,
      columns: (header: string[]) => {
        columns = header.map((name) => name.trim())
        return columns
      },
      info: true,
      trim: true,
      skip_empty_lines: true,
      max_record_size: 10_000,
      to: rowsMax + 1,
    }) as unknown as { info: { lines: number }; record: Record<string, string> }[]
    if (columns.length === 0) throw new CsvError('it is empty: the first line names the columns', 1)
    const twice = columns.find((name, index) => name === '' || columns.indexOf(name) !== index)
    if (twice !== undefined)
      throw new CsvError(twice === '' ? 'a column has no name' : `the column \`${twice}\` stands twice`, 1)
    if (rows.length > rowsMax) throw new CsvError(`it has more than ${rowsMax} rows`, rowsMax)
    return { columns, rows: rows.map(({ info, record }) => ({ line: info.lines, values: record })) }
  } catch (error) {
    if (error instanceof CsvError) throw error
    const { code, lines } = error as { code?: string; lines?: number }
    throw new CsvError(sentences[code ?? ''] ?? 'this is not CSV', lines ?? 1)
  }
}

/** What is wrong with a list, and in which line. */
export class CsvError extends Error {
  readonly line: number

  constructor(message: string, line: number) {
    super(message)
    this.line = line
  }
}

/** Never the parser's own words where these quote the text. */
const sentences: Readonly<Record<string, string>> = {
  CSV_RECORD_INCONSISTENT_COLUMNS: 'this row has another number of columns than the first line',
  CSV_RECORD_INCONSISTENT_FIELDS_LENGTH: 'this row has another number of columns than the first line',
  CSV_QUOTE_NOT_CLOSED: 'a quote is not closed',
  CSV_INVALID_CLOSING_QUOTE: 'a quote ends in the middle of a value: double the quotes inside a value',
  INVALID_OPENING_QUOTE: 'a quote stands in the middle of a value: put the whole value in quotes',
  CSV_MAX_RECORD_SIZE: 'this row is far too long',
}
