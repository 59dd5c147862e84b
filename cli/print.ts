import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Colours on a terminal only, and not where NO_COLOR is set. */
export const paint = (style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  styleText(style, text, { stream })

export const say = (line = ''): void => void process.stdout.write(`${line}\n`)

export const sayJson = (value: unknown): void => say(JSON.stringify(value, null, 2))

/** Lines of a table, its columns aligned. Colours are put on afterwards, since they count as characters. */
export const table = (rows: readonly (readonly string[])[]): string[] => {
  const widths: number[] = []
  for (const row of rows)
    for (const [column, text] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, text.length)
  return rows.map((row) =>
    row
      .map((text, column) => (column === row.length - 1 ? text : text.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

/** A time of day as people at the site read it. */
export const timeAt = (ms: number, timezone: string): string =>
  new Intl.DateTimeFormat('en-GB', { timeZone: timezone, timeStyle: 'medium' }).format(ms)
