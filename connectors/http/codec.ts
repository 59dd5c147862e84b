import type { Json } from '../../core/fact.ts'
import type { Message } from '../../core/message/message.ts'
import { didYouMean } from '../../core/site/suggest.ts'

/** What a template is filled from. */
export interface View {
  /** The command's id: the same for each attempt. */
  readonly id: string
  readonly attempt: number
  readonly args: { readonly [name: string]: Json | undefined }
  /** The target's own `values`. */
  readonly values: { readonly [name: string]: Json | undefined }
  readonly message: Message | null
  /** The message in words. */
  text(): string
}

/** A template compiled: all that is left to do for a request is to put its values between the literal parts. */
export type Filled = (view: View) => string

type Value = (view: View) => Json | undefined

/** How a value is written so that it can't leave its place. */
export type Escape = 'plain' | 'path' | 'header' | 'json' | 'xml' | 'form'

export class TemplateError extends Error {}

const iso = (at: number | undefined): string | undefined =>
  at !== undefined && Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : undefined

const messageValues: { readonly [name: string]: Value } = {
  'message.text': (view) => view.text(),
  'message.incident': ({ message }) => message?.incident,
  'message.number': ({ message }) => message?.number,
  'message.site': ({ message }) => message?.site,
  'message.about': ({ message }) => message?.about,
  'message.kind': ({ message }) => message?.kind,
  'message.drill': ({ message }) => message?.drill,
  'message.silent': ({ message }) => message?.silent,
  'message.who': ({ message }) => message?.who,
  'message.source': ({ message }) => message?.source,
  'message.receivedAt': ({ message }) => iso(message?.receivedAt),
  'message.dueAt': ({ message }) => iso(message?.dueAt),
  'message.acknowledgedBy': ({ message }) => message?.acknowledgedBy,
  'message.notes': ({ message }) => message?.notes,
  'message.possibleRepeat': ({ message }) => message?.possibleRepeat ?? false,
  'message.where.place': ({ message }) => message?.where.place,
  'message.where.name': ({ message }) => message?.where.name,
  'message.where.short': ({ message }) => message?.where.short,
  'message.where.precision': ({ message }) => message?.where.precision,
  'message.where.from': ({ message }) => message?.where.from,
  'message.where.at': ({ message }) => iso(message?.where.at),
  'message.where.address': ({ message }) => message?.where.address,
  message: ({ message }) => message as unknown as Json,
}

/** The names that a request of each capability may use besides `values.…`. */
export const namesFor = (capability: string): readonly string[] => [
  'id',
  'attempt',
  ...(capability === 'page.send' || capability === 'event.send' ? Object.keys(messageValues) : []),
  ...(capability === 'camera.preset' ? ['args.preset'] : []),
  ...(capability === 'relay.set' ? ['args.on'] : []),
  ...(capability === 'door.release' ? ['args.from', 'args.before'] : []),
]

/** Reads one name of `{{name}}`. */
const valueNamed = (name: string): Value => {
  if (name === 'id') return (view) => view.id
  if (name === 'attempt') return (view) => view.attempt
  const field = Object.hasOwn(messageValues, name) ? messageValues[name] : undefined
  if (field) return field
  const [, space, key] = /^(args|values)\.(.+)$/.exec(name) ?? []
  if (space === undefined || key === undefined) throw new TemplateError(`\`{{${name}}}\` is no known value`)
  return space === 'args' ? (view) => own(view.args, key) : (view) => own(view.values, key)
}

const own = (of: View['values'], key: string): Json | undefined =>
  Object.hasOwn(of, key) ? of[key] : undefined

/** Literal text and names in turn: `a{{b}}c` is ['a', 'b', 'c']; there is always a literal first and last. */
export const split = (template: string): readonly string[] => {
  const parts: string[] = []
  let rest = template
  for (;;) {
    const start = rest.indexOf('{{')
    if (start < 0) break
    const end = rest.indexOf('}}', start)
    if (end < 0) throw new TemplateError(`\`${rest.slice(start, start + 20)}\` has no closing }}`)
    const name = rest.slice(start + 2, end).trim()
    if (!/^[A-Za-z][\w.-]{0,63}$/.test(name))
      throw new TemplateError(`\`{{${name.slice(0, 20)}}}\` is no name: letters, digits, dots, dashes`)
    parts.push(rest.slice(0, start), name)
    rest = rest.slice(end + 2)
  }
  return [...parts, rest]
}

const asText = (value: Json | undefined): string =>
  typeof value === 'string'
    ? value
    : value === undefined || value === null
      ? ''
      : (JSON.stringify(value) ?? '')

const xmlEntities: { readonly [char: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

const escapes: { readonly [how in Escape]: (text: string) => string } = {
  plain: (text) => text,
  // A segment of dots alone would climb out of its path however it is written; "." is unreserved (RFC 3986, 5.2.4).
  path: (text) => (/^\.+$/.test(text) ? '_' : encodeURIComponent(text.toWellFormed())),
  // A header's value is one line of visible ASCII (RFC 9110, 5.5).
  header: (text) =>
    text
      .replace(/[^ -~]/g, '?')
      .trim()
      .slice(0, 1_000),
  json: (text) => JSON.stringify(text).slice(1, -1),
  // Control characters are no XML, not even escaped (XML 1.0, 2.2).
  xml: (text) => text.replace(/[\p{Cc}\p{Cs}]/gu, ' ').replace(/[&<>"']/g, (char) => xmlEntities[char] ?? ''),
  form: (text) => encodeURIComponent(text.toWellFormed()),
}

/** Compiles a text template; values are escaped for where they stand. */
export const compileText = (template: string, how: Escape): Filled => {
  const parts = split(template)
  const [first = ''] = parts
  if (parts.length === 1) return () => first
  const escaped = escapes[how]
  const values = parts.filter((_, i) => i % 2 === 1).map(valueNamed)
  const literals = parts.filter((_, i) => i % 2 === 0)
  return (view) => {
    let text = first
    for (let i = 0; i < values.length; i++)
      text += escaped(asText((values[i] as Value)(view))) + (literals[i + 1] as string)
    return text
  }
}

/** Compiles a JSON template to its text; a string that is nothing but `{{name}}` becomes the value, of its own type. */
export const compileJson = (template: Json): Filled => {
  const parts: (string | Value)[] = []
  const literal = (text: string) => {
    const last = parts.at(-1)
    if (typeof last === 'string') parts[parts.length - 1] = last + text
    else parts.push(text)
  }
  const add = (node: Json | undefined): void => {
    if (typeof node === 'string') addText(node)
    else if (Array.isArray(node)) addAll('[', ']', node, add)
    else if (node === null || typeof node !== 'object') literal(JSON.stringify(node ?? null))
    else
      addAll('{', '}', Object.entries(node), ([key, value]) => {
        literal(`${JSON.stringify(key)}:`)
        add(value)
      })
  }
  const addAll = <T>(open: string, close: string, items: readonly T[], addItem: (item: T) => void): void => {
    literal(open)
    items.forEach((item, i) => {
      if (i > 0) literal(',')
      addItem(item)
    })
    literal(close)
  }
  const addText = (text: string): void => {
    const [before, name, after, ...more] = split(text)
    if (name === undefined) literal(JSON.stringify(text))
    else if (before === '' && after === '' && more.length === 0) {
      const value = valueNamed(name)
      parts.push((view) => JSON.stringify(value(view) ?? null))
    } else {
      const filled = compileText(text, 'plain')
      parts.push((view) => JSON.stringify(filled(view)))
    }
  }
  add(template)
  return (view) => {
    let text = ''
    for (const part of parts) text += typeof part === 'string' ? part : (part(view) as string)
    return text
  }
}

/** What is wrong with the names in a template, in words; `values` are the names that every target of it has. */
export const problemsOf = (template: Json, capability: string, values: readonly string[]): string[] => {
  if (Array.isArray(template)) return template.flatMap((item) => problemsOf(item, capability, values))
  if (template !== null && typeof template === 'object')
    return Object.values(template).flatMap((item) => problemsOf(item ?? null, capability, values))
  if (typeof template !== 'string') return []
  try {
    const known = [...namesFor(capability), ...values.map((name) => `values.${name}`)]
    const names = split(template).filter((_, i) => i % 2 === 1)
    return names
      .filter((name) => !known.includes(name))
      .map((name) => `\`{{${name}}}\` is not known to ${capability}: ${didYouMean(name, known)}`)
  } catch (error) {
    if (error instanceof TemplateError) return [error.message]
    throw error
  }
}
