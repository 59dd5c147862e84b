import type { z } from 'zod'

/** One field of a config, as tables show it. */
export interface Field {
  /** With the names that it is inside of: `login.id`, `areas.*.place`, `steps[].at`. */
  readonly name: string
  readonly type: string
  readonly required: boolean
  /** As it would be written; empty where there is none. */
  readonly fallback: string
  readonly description: string
}

/** What zod knows of a schema, of which we read a part. */
interface Def {
  readonly type: string
  readonly innerType?: z.ZodType
  readonly in?: z.ZodType
  readonly out?: z.ZodType
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly items?: readonly z.ZodType[]
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly entries?: Readonly<Record<string, string>>
  readonly values?: readonly unknown[]
  readonly defaultValue?: unknown
}

const defOf = (schema: z.ZodType): Def => schema.def as unknown as Def

const wrappers = ['optional', 'default', 'prefault', 'nullable', 'readonly', 'catch', 'nonoptional']

interface Bare {
  readonly schema: z.ZodType
  readonly required: boolean
  readonly fallback: unknown
  readonly description: string
}

/** Without what is wrapped around it; the outermost description counts. */
const bare = (schema: z.ZodType): Bare => {
  let inner = schema
  let required = true
  let fallback: unknown
  let description = schema.description ?? ''
  for (let def = defOf(inner); wrappers.includes(def.type) || def.type === 'lazy'; def = defOf(inner)) {
    if (def.type !== 'readonly' && def.type !== 'lazy' && def.type !== 'nonoptional') required = false
    if (def.type === 'default') fallback = def.defaultValue
    inner = def.type === 'lazy' ? (inner as z.ZodLazy<z.ZodType>).unwrap() : (def.innerType as z.ZodType)
    description ||= inner.description ?? ''
  }
  return { schema: inner, required, fallback, description }
}

/** A text that becomes a number, whatever the limits of the field are. */
const isDuration = (schema: z.ZodType): boolean =>
  defOf(schema).type === 'pipe' &&
  ['100ms', '1s', '1m', '1h', '1d', '100d'].some((text) => typeof schema.safeParse(text).data === 'number')

const isSecret = (def: Def): boolean =>
  def.type === 'union' &&
  def.options!.map((option) => Object.keys(defOf(option).shape ?? {}).join()).join(' ') === 'env file'

/** Any JSON at all: a tree whose branches are again any JSON. */
const isJson = (schema: z.ZodType): boolean =>
  defOf(schema).type === 'lazy' && defOf((schema as z.ZodLazy<z.ZodType>).unwrap()).type === 'union'

/** What a person writes: `duration`, `secret`, `text`, `"a" or "b"`, `list of text`. */
const typeOf = (schema: z.ZodType): string => {
  if (isJson(schema)) return 'anything'
  const inner = bare(schema).schema
  const def = defOf(inner)
  if (isDuration(inner)) return 'duration'
  if (isSecret(def)) return 'secret'
  switch (def.type) {
    case 'string':
      return 'text'
    case 'number':
      return 'number'
    case 'boolean':
      return '`true` or `false`'
    case 'enum':
      return Object.values(def.entries!)
        .map((value) => `\`${value}\``)
        .join(', ')
    case 'literal':
      return def.values!.map((value) => `\`${value}\``).join(', ')
    case 'array':
      return `list of ${typeOf(def.element!)}`
    case 'tuple':
      return `[${def.items!.map(typeOf).join(', ')}]`
    case 'record':
      return `map of ${typeOf(def.valueType!)}`
    case 'object':
      return 'map'
    case 'pipe':
      return typeOf(def.in!)
    case 'union':
      return [...new Set(def.options!.map(typeOf))].join(' or ')
    default:
      return 'anything'
  }
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const

const written = (value: unknown, schema: z.ZodType): string => {
  if (value === undefined) return ''
  if (typeof value === 'number' && isDuration(schema)) {
    const [unit, ms] = units.find(([, size]) => value % size === 0 && value >= size) ?? ['ms', 1]
    return `${value / ms}${unit}`
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** All fields of an object, those inside of others after them. Each type is described once, so that trees end. */
export const fieldsOf = (schema: z.ZodType, prefix = '', seen: readonly z.ZodType[] = []): Field[] => {
  if (isJson(schema) || seen.includes(schema)) return []
  const { schema: inner } = bare(schema)
  const def = defOf(inner)
  if (isSecret(def) || isDuration(inner)) return []
  const inside = [...seen, schema]
  switch (def.type) {
    case 'object':
      return Object.entries(def.shape!).flatMap(([key, value]) => {
        const name = prefix === '' ? key : `${prefix}.${key}`
        const { required, fallback, description, schema: field } = bare(value)
        const own = {
          name,
          type: typeOf(value),
          required,
          fallback: written(fallback, field),
          description,
        }
        return [own, ...fieldsOf(value, name, inside)]
      })
    case 'array':
      return fieldsOf(def.element!, `${prefix}[]`, inside)
    case 'record':
      return fieldsOf(def.valueType!, `${prefix}.*`.replace(/^\./, ''), inside)
    case 'union':
      return unique(
        def
          .options! // One or a list of them: the fields of one say it.
          .filter((option) => !def.options!.includes(defOf(option).element!))
          .flatMap((option) => fieldsOf(option, prefix, inside)),
      )
    case 'pipe':
      return fieldsOf(def.in!, prefix, inside)
    default:
      return []
  }
}

/** Variants of a union share fields. */
const unique = (fields: readonly Field[]): Field[] =>
  [...new Map(fields.toReversed().map((field) => [field.name, field])).values()].toReversed()
