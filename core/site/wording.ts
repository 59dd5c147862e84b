import type { z } from 'zod'
import { didYouMean, list } from './suggest.ts'

type Issue = z.core.$ZodIssue

/** What a type is called in a config. */
export const types: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: '`true` or `false`',
  object: 'a map of fields',
  record: 'a map of fields',
  array: 'a list',
  tuple: 'a list',
  null: 'nothing',
}

export const typeOf = (value: unknown): string =>
  value === null || value === undefined
    ? 'nothing'
    : Array.isArray(value)
      ? 'a list'
      : (types[typeof value] ?? 'something else')

/** What was written, cut short. Never used where a secret is expected. */
export const shown = (value: unknown): string =>
  typeof value === 'string'
    ? `\`${value.slice(0, 40)}\``
    : typeof value === 'object'
      ? typeOf(value)
      : `\`${value}\``

const oldBoolean = /^(on|off|yes|no|y|n)$/i

/** What a wrong type should have been. */
const wrongType = (expected: string, value: unknown): string => {
  if (expected === 'boolean' && typeof value === 'string') {
    if (oldBoolean.test(value)) return `write \`${/^(on|yes|y)$/i.test(value)}\`: \`${value}\` is only a text`
    if (/^(true|false)$/i.test(value)) return `write \`${value.toLowerCase()}\` without quotes`
  }
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean'))
    return `must be a text, not ${typeOf(value)}: put it in quotes`
  const numeric = typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value))
  if ((expected === 'number' || expected === 'int') && numeric)
    return 'must be a number: write it without quotes'
  return `must be ${types[expected] ?? expected}, not ${typeOf(value)}`
}

const counted = ['array', 'set', 'object', 'record', 'map']

const wrongSize = (origin: string, least: boolean, limit: string, inclusive: boolean): string => {
  const at = `at ${least ? 'least' : 'most'} ${limit}`
  if (origin === 'string') return least && limit === '1' ? 'must not be empty' : `must have ${at} characters`
  if (counted.includes(origin)) return `must have ${at} ${limit === '1' ? 'entry' : 'entries'}`
  return inclusive ? `must be ${at}` : `must be ${least ? 'more' : 'less'} than ${limit}`
}

const wrongValue = (values: readonly string[], value: unknown): string => {
  if (values.length === 1) return `${shown(value)} is not allowed: write \`${values[0]}\``
  const meant = typeof value === 'string' ? didYouMean(value, values) : ''
  const all = `one of ${list(values, 'or')}`
  return `${shown(value)} is not allowed: ${meant.startsWith('did') ? `${meant} It is ${all}` : `write ${all}`}`
}

const formats: Readonly<Record<string, string>> = {
  url: 'a URL, such as http://10.0.4.20/path',
  ipv4: 'an IPv4 address, such as 10.0.4.20',
  email: 'an e-mail address',
}

/** What is wrong with a value that is there, in one clause. */
export const wrong = (issue: Issue, value: unknown): string => {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, value)
    case 'invalid_value':
      return wrongValue(issue.values.map(String), value)
    case 'too_small':
      return wrongSize(issue.origin, true, String(issue.minimum), issue.inclusive !== false)
    case 'too_big':
      return wrongSize(issue.origin, false, String(issue.maximum), issue.inclusive !== false)
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_format':
      return issue.format === 'regex'
        ? `must have the form ${issue.pattern}`
        : `must be ${formats[issue.format] ?? `a valid ${issue.format}`}`
    default:
      return 'is not allowed here'
  }
}
