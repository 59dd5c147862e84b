import { z } from 'zod'
import { type Finding, SecretRef } from '../connector.ts'
import { didYouMean, list } from './suggest.ts'
import { shown, typeOf, types, wrong } from './wording.ts'

/** A finding that may be about the key at its path rather than about the value. */
export interface Problem extends Finding {
  readonly at?: 'key'
}

type Path = readonly PropertyKey[]
type Issue = z.core.$ZodIssue
type UnionIssue = Extract<Issue, { code: 'invalid_union' }>

/** Marks what `carry` adds to an issue, as against a schema's own words. */
const carried = '\u0000'

/** An issue names neither the fields that would be right nor what the field is for; its schema does. */
const carry = (issue: z.core.$ZodRawIssue): string => {
  const schema = issue.inst as z.core.$ZodType | undefined
  const def = schema?._zod.def as any
  if (issue.code === 'unrecognized_keys') return `${carried}${Object.keys(def?.shape ?? {}).join(' ')}`
  if (issue.code === 'invalid_union' && def?.options === (SecretRef._zod.def as any).options)
    return `${carried}secret`
  if (issue.code === 'invalid_type' && issue.input === undefined && schema)
    return `${carried}${z.globalRegistry.get(schema)?.description ?? ''}`
  return carried
}

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<any>(
    (at, key) => (at !== null && typeof at === 'object' && Object.hasOwn(at, key) ? at[key] : undefined),
    value,
  )

const secretRule = 'write `{ env: NAME }` or `{ file: PATH }`'

const isTop = (issue: Issue): boolean =>
  issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')

/** Of the ways in which a union could be meant the one that fits best: the right type at the top, then the fewest issues. */
const bestOf = (errors: readonly (readonly Issue[])[]): readonly Issue[] => {
  const weight = (issues: readonly Issue[]) =>
    issues
      .map((issue) => (isTop(issue) ? 1_000 : issue.code === 'unrecognized_keys' ? issue.keys.length * 3 : 1))
      .reduce((sum, cost) => sum + cost, 0)
  return [...errors].sort((a, b) => weight(a) - weight(b))[0] ?? []
}

const optionsOf = (issue: UnionIssue): string[] =>
  'options' in issue ? (issue.options ?? []).map(String) : []

/** What should be where nothing is, or something of another type. */
const wanted = (issue: Issue, about = ''): string => {
  if (issue.code === 'invalid_value')
    return `${issue.values.length > 1 ? 'one of ' : ''}${list(issue.values.map(String), 'or')}`
  if (issue.code === 'invalid_type')
    return `${types[issue.expected] ?? issue.expected}${about ? ` (${about.replace(/\.$/, '')})` : ''}`
  if (issue.code !== 'invalid_union') return 'something else'
  if (about === 'secret') return secretRule
  if (issue.errors.length === 0) return `one of ${list(optionsOf(issue), 'or')}`
  const ways = issue.errors.flatMap(([first]) => (first ? [wanted(first)] : []))
  return [...new Set(ways)].join(' or ')
}

/** What is wrong with a value that no way of a union takes; null when the issues of the best way say it better. */
const wrongUnion = (issue: UnionIssue, value: unknown, about: string): string | null => {
  if (about === 'secret' && (typeof value !== 'object' || value === null))
    return `a secret never stands in the config itself: ${secretRule}`
  if (issue.errors.length === 0)
    return `${shown(value)} is not known here: ${didYouMean(String(value), optionsOf(issue))}`
  if (!bestOf(issue.errors).every(isTop)) return null
  const values = issue.errors.flat().flatMap((inner) => (inner.code === 'invalid_value' ? inner.values : []))
  return typeof value === 'string' && values.length > 0
    ? `${shown(value)} is not allowed: ${didYouMean(value, values.map(String))}`
    : `must be ${wanted(issue)}, not ${typeOf(value)}`
}

interface Root {
  readonly name: string | number
  readonly value: unknown
}

/** Says an issue in plain sentences; `under` is where its own path starts. */
const explain = (issue: Issue, under: Path, root: Root): { path: Path; message: string; at?: 'key' }[] => {
  const path = [...under, ...issue.path]
  const value = valueAt(root.value, path)
  const own = issue.message.startsWith(carried) ? null : issue.message
  const about = own === null ? issue.message.slice(carried.length) : ''
  if (issue.code === 'unrecognized_keys') {
    const known = about.split(' ').filter(Boolean)
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `unknown field \`${key.slice(0, 60)}\`: ${didYouMean(key, known)}`,
      at: 'key',
    }))
  }
  const last = path.at(-1) ?? root.name
  const name = typeof last === 'number' ? `entry ${last + 1}` : `\`${String(last).slice(0, 60)}\``
  if (issue.code === 'invalid_key') {
    const why = issue.issues[0]?.message.replaceAll(carried, '') || 'it is not allowed here'
    return [{ path, message: `${name} can't be used as a name: ${why}`, at: 'key' }]
  }
  if (value === undefined) return [{ path, message: `${name} is missing: ${own ?? wanted(issue, about)}` }]
  if (issue.code !== 'invalid_union') return [{ path, message: `${name}: ${own ?? wrong(issue, value)}` }]
  const message = own ?? wrongUnion(issue, value, about)
  if (message !== null) return [{ path, message: `${name}: ${message}` }]
  return bestOf(issue.errors).flatMap((inner) => explain(inner, path, root))
}

export type Read<T> =
  | { readonly value: T; readonly problems: readonly [] }
  | { readonly value: null; readonly problems: readonly Problem[] }

/** Reads a value by a schema; what doesn't fit is said in plain sentences, at paths below `at`. */
export const read = <T>(schema: z.ZodType<T>, value: unknown, at: readonly (string | number)[]): Read<T> => {
  const result = schema.safeParse(value, { error: carry })
  if (result.success) return { value: result.data, problems: [] }
  const said = result.error.issues.flatMap((issue) =>
    explain(issue, [], { name: at.at(-1) ?? 'config', value }),
  )
  const problems = said.map(({ path, ...rest }) => ({
    ...rest,
    path: [...at, ...path.map((step) => (typeof step === 'symbol' ? String(step) : step))],
    fatal: true,
  }))
  return { value: null, problems }
}
