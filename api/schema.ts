import { z } from 'zod'

/** A zod schema as Fastify and OpenAPI take it: JSON Schema draft 7. */
export const jsonSchema = (schema: z.ZodType): Record<string, unknown> => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' })
  return rest
}

/** A short text of one line. */
export const line = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^\P{Cc}+$/u)

/** The body of everything that goes wrong. */
const Failure = z
  .object({
    error: z.object({
      code: z.string().describe('One of the codes of docs/errors.md.'),
      message: z.string().describe('What is wrong, and where.'),
      do: z.string().describe('What to do about it.'),
      inEffect: z
        .literal(true)
        .optional()
        .describe('With NOT_RECORDED: it is in effect, but could not be written to disk.'),
      problems: z
        .array(z.object({ line: z.number(), message: z.string() }))
        .optional()
        .describe('Everything that is wrong with a list, by line.'),
    }),
  })
  .describe('What went wrong.')

const failure = jsonSchema(Failure)

/** The failures that a route may answer, for its documentation. */
export const failures = (...statuses: readonly number[]): Record<number, unknown> =>
  Object.fromEntries([401, 403, ...statuses].map((status) => [status, failure]))

/** An answer in words; what exactly comes is what the code sends, since nothing is filtered by a schema. */
export const answer = (description: string): Record<string, unknown> => ({
  description,
  type: 'object',
  additionalProperties: true,
})
