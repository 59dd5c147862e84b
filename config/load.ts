import { open } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import type { Finding } from '../core/connector.ts'
import { messageOf } from '../core/error.ts'
import { checkSite, type Section } from '../core/site/check.ts'
import { assemble, type Catalogue } from '../core/site/compile.ts'
import type { Problem } from '../core/site/explain.ts'
import { warm } from '../core/site/places.ts'
import { revisionOf } from '../core/site/revision.ts'
import type { Site } from '../core/site/site.ts'
import type { List } from './csv.ts'
import { type Expanded, expand, listsOf } from './expand.ts'
import { readExtensions } from './extensions.ts'
import { resolveSecret, secretsIn } from './secret.ts'
import { readShape } from './shape.ts'
import { type Position, readYaml, type Yaml } from './yaml.ts'

/** A finding with the place in the file that it is about; line and column count from 1. */
export interface LocatedFinding extends Finding, Position {
  readonly file: string
}

/** A config that may run, or everything that keeps it from running; both with advice. */
export type Loaded =
  | { readonly site: Site; readonly findings: readonly LocatedFinding[] }
  | { readonly site: null; readonly findings: readonly LocatedFinding[] }

/** A config for 10,000 devices has 2 MB. */
const maxBytes = 5 * 1024 * 1024
const listsMax = 100

const refused = (file: string, message: string): Loaded => ({
  site: null,
  findings: [{ file, line: 1, column: 1, path: [], message, fatal: true }],
})

/** Reads and checks a config: all findings at once, in the order of the file. Pure: `lists` are those that it names, or why they can't be read. */
export const loadText = (
  text: string,
  catalogue: Catalogue,
  file = 'config',
  lists: ReadonlyMap<string, List | string> = new Map(),
): Loaded => {
  if (text.length > maxBytes) return refused(file, 'the config is larger than 5 MB')
  return loadYaml(readYaml(text), catalogue, file, lists)
}

const loadYaml = (
  yaml: Yaml,
  catalogue: Catalogue,
  file: string,
  lists: ReadonlyMap<string, List | string>,
): Loaded => {
  const findings: LocatedFinding[] = yaml.problems.map((problem) => ({
    ...problem,
    file,
    path: [],
    fatal: true,
  }))
  if (!yaml.sound) return { site: null, findings: inOrder(findings) }
  const expanded = expand(yaml.value, lists)
  const say = (problem: Problem) => findings.push(located(problem, file, yaml, expanded))
  for (const { list, line, message } of expanded.listProblems)
    findings.push({ file: list, line, column: 1, path: [], message, fatal: true })
  for (const problem of expanded.problems) say(problem)

  const { config, problems, unread } = readShape(expanded.value)
  for (const problem of problems) say(problem)
  if (!config) return { site: null, findings: inOrder(findings) }

  const parts = assemble(config, catalogue, revisionOf(config), unread)
  for (const problem of parts.problems) say(problem)
  const all = [...expanded.problems, ...problems, ...parts.problems]
  const complete = (section: Section) => all.every(({ path }) => path[0] !== section && path.length > 0)
  const extent = { unread, complete }
  for (const problem of checkSite({ config, site: parts.site, catalogue, extent })) say(problem)

  const fatal = findings.some((finding) => finding.fatal)
  if (fatal) return { site: null, findings: inOrder(findings) }
  const { assignments } = expanded
  warm(parts.site)
  return { site: { ...parts.site, assignments }, findings: inOrder(findings) }
}

/** Where a problem is to be mended: in the config, or in the row of a list that its device comes from. */
const located = (problem: Problem, file: string, yaml: Yaml, expanded: Expanded): LocatedFinding => {
  const { path, message, fatal, at } = problem
  const { list, line, ...origin } = expanded.origin(path)
  const inConfig = yaml.locate(at ? { path: origin.path, at } : { path: origin.path })
  return list === null
    ? { file, ...inConfig, path, message, fatal }
    : { file: list, line, column: 1, path, message, fatal }
}

/** Nobody reads more, and a hostile text could make millions. */
const maxFindings = 10_000

const inOrder = (findings: readonly LocatedFinding[]): LocatedFinding[] => {
  const keyed = findings.map(
    (finding) => [`${finding.line}:${finding.column} ${finding.message}`, finding] as const,
  )
  const sorted = [...new Map(keyed).values()].sort((a, b) => a.line - b.line || a.column - b.column)
  const next = sorted[maxFindings]
  if (!next) return sorted
  const message = `${sorted.length - maxFindings} more findings from here on: correct the ones above first`
  return [...sorted.slice(0, maxFindings), { ...next, message, fatal: sorted.some(({ fatal }) => fatal) }]
}

interface Text {
  readonly text: string
  readonly changedAt: number
}

const readFile = async (path: string): Promise<Text> => {
  const file = await open(path, 'r')
  try {
    const { size, mtimeMs } = await file.stat()
    if (size > maxBytes) throw new Error('it is larger than 5 MB')
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile())
    return { text, changedAt: Math.round(mtimeMs) }
  } finally {
    await file.close()
  }
}

const whyUnread = (error: unknown): string =>
  error instanceof TypeError ? 'it is not UTF-8 text' : messageOf(error)

/** The lists that a config names, beside it; a text says why one can't be read. */
const readLists = async (value: unknown, file: string): Promise<Map<string, List | string>> => {
  const named = listsOf(value).slice(0, listsMax)
  const read = named.map(async (name): Promise<[string, List | string]> => {
    const path = isAbsolute(name) ? name : join(dirname(file), name)
    return readFile(path).then(
      (text) => [name, { path, ...text }],
      (error) => [name, whyUnread(error)],
    )
  })
  return new Map(await Promise.all(read))
}

/** Secrets that are not on this machine: only advice, since they may be on the one that the config is for. */
const missingSecrets = async (site: Site): Promise<Problem[]> => {
  const checked = secretsIn(site.source).map(({ path, ref }) =>
    resolveSecret(ref).then(
      () => null,
      (error) => ({ path, message: `${messageOf(error)} (on this machine)`, fatal: false }),
    ),
  )
  return (await Promise.all(checked)).filter((problem) => problem !== null)
}

/** Reads and checks the config in a file, loads the connectors that it adds, and looks whether its secrets are on this machine. Never rejects. */
export const loadConfig = async (file: string, catalogue: Catalogue): Promise<Loaded> => {
  let text: string
  try {
    text = (await readFile(file)).text
  } catch (error) {
    return refused(file, `the config can't be read: ${whyUnread(error)}`)
  }
  const yaml = readYaml(text)
  const extended = await readExtensions(yaml.sound ? yaml.value : null, file, catalogue)
  const loaded = loadYaml(yaml, extended.catalogue, file, await readLists(yaml.value, file))
  const unread = extended.problems.map((problem) => ({ ...problem, ...yaml.locate(problem), file }))
  const findings = inOrder([...loaded.findings, ...unread])
  const site = unread.length > 0 ? null : loaded.site
  if (!site) return { site, findings }
  const missing = (await missingSecrets(site)).map((problem) => ({
    ...problem,
    ...yaml.locate(problem),
    file,
  }))
  return { site, findings: inOrder([...findings, ...missing]) }
}
