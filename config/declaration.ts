import { z } from 'zod'

/** Of any copy of zod: an extension brings its own. */
const schema = z.custom(
  (value) => typeof (value as z.ZodType | null)?.safeParse === 'function',
  'not a zod schema',
)
const run = z.custom((value) => typeof value === 'function', 'not a function')

/** What the default export of an extension must be; the contract itself is `core/connector.ts`. */
const Declaration = z.object({
  type: z
    .string('a text such as bell')
    .regex(/^[a-z][a-z0-9-]{0,39}$/, 'small letters, digits and dashes, at most 40'),
  summary: z.string('a sentence').min(1).max(200),
  module: z.string('import.meta.url'),
  contract: z.literal(1, 'this program speaks contract 1'),
  config: schema,
  input: schema.optional(),
  output: schema.optional(),
  can: z
    .array(z.object({ name: z.string('a text') }))
    .max(50)
    .optional(),
  open: run,
  link: run.optional(),
  lane: run.optional(),
  offers: run.optional(),
  check: run.optional(),
  places: run.optional(),
  sourceOf: run.optional(),
  attemptMs: run.optional(),
  staleAfterMs: run.optional(),
  silentAfterMs: run.optional(),
})

/** What keeps the exports of a module from being a connector's; null: nothing. */
export const whyNoConnector = (exported: { readonly default?: unknown }, url: string): string | null => {
  const declaration = exported.default
  if (declaration === undefined)
    return 'it has no default export: export what `defineConnector` returns as default'
  const { error, data } = Declaration.safeParse(declaration)
  const [issue] = error?.issues ?? []
  if (issue) {
    const field = issue.path.join('.')
    return `its default export is no connector${field ? `: \`${field}\`` : ''}: ${issue.message}`
  }
  if (data?.module !== url)
    return 'its `module` must be its own import.meta.url, where its thread loads it from'
  return null
}
