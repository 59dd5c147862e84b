import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { failures, jsonSchema } from './schema.ts'
import type { Stream } from './stream.ts'

const Query = z.strictObject({
  from: z
    .string()
    .regex(/^-?\d{1,12}$/)
    .optional()
    .describe(
      'Sequence of the first trail row; less than 0: so many rows before the end. Default: only what is new.',
    ),
})

const Headers = z.object({
  'last-event-id': z
    .string()
    .max(40)
    .optional()
    .describe('Id of the last event that was received; goes before `from`.'),
})

/** Everything that happens, as it happens. */
export const streamRoute = (app: FastifyInstance, stream: Stream): void => {
  app.get<{ Querystring: z.infer<typeof Query>; Headers: z.infer<typeof Headers> }>(
    '/v1/stream',
    {
      schema: {
        summary:
          'Server-sent events, one for each entry of the trail, named by its `what`. Ids resume; entries without id could not be written yet.',
        produces: ['text/event-stream'],
        querystring: jsonSchema(Query),
        headers: jsonSchema(Headers),
        response: { ...failures(400, 503) },
      },
    },
    (request, reply) => {
      stream.admit()
      const { from } = request.query
      const position = stream.begin(
        request.headers['last-event-id'],
        from === undefined ? null : Number(from),
      )
      reply.hijack()
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-accel-buffering': 'no',
      })
      stream.add(reply.raw, position)
    },
  )
}
