import type { Connector } from '../connector.ts'
import { type Problem, read } from './explain.ts'
import type { ConnectorEntry } from './site.ts'

type Path = readonly (string | number)[]

/** Calls code of a connector's declaration; what it throws is a problem of the config, not of the program. */
const ask = <T>(run: () => T, fallback: T, path: Path, problems: Problem[]): T => {
  try {
    return run()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    problems.push({ path, message: `the connector can't work with this: ${why.slice(0, 200)}`, fatal: true })
    return fallback
  }
}

/** Reads an input or output by the schema of its connector; null when there is none or it doesn't fit. */
export const readAddress = (
  { name, connector }: ConnectorEntry,
  direction: 'input' | 'output',
  raw: unknown,
  path: Path,
  problems: Problem[],
): unknown => {
  if (raw === undefined) return null
  const schema: Connector['input'] = connector[direction]
  if (!schema) {
    const can = direction === 'input' ? 'is never heard' : "can't be acted upon"
    problems.push({
      path,
      message: `\`${name}\` (${connector.type}) takes no \`${direction}\`: a device on it ${can}`,
      fatal: true,
    })
    return null
  }
  const { value, problems: found } = read(schema, raw, path)
  problems.push(...found)
  return value
}

/** The name of the link that an address is on. */
export const linkOf = (
  { name, connector, config }: ConnectorEntry,
  address: unknown,
  path: Path,
  problems: Problem[],
): string => {
  if (!connector.link || address === null || config === null) return name
  return `${name} ${ask(() => connector.link!(config, address), '', path, problems)}`
}

/** The capabilities that an address offers. */
export const offered = (
  { connector, config }: ConnectorEntry,
  output: unknown,
  path: Path,
  problems: Problem[],
): ReadonlySet<string> => {
  const all = (connector.can ?? []).map(({ name }) => name)
  if (output === null) return new Set()
  return new Set(
    connector.offers && config !== null
      ? ask(() => connector.offers!(config, output), [], path, problems)
      : all,
  )
}

/** How long the connector says that an input may be silent, ms; null: by nature. */
export const silentAfter = (
  { connector, config }: ConnectorEntry,
  input: unknown,
  path: Path,
  problems: Problem[],
): number | null =>
  input === null || config === null || !connector.silentAfterMs
    ? null
    : ask(() => connector.silentAfterMs!(config, input), null, path, problems)
