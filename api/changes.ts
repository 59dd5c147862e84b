import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { BridgeError } from '../core/error.ts'
import type { Change } from '../core/incident/apply.ts'
import { resolutions } from '../core/incident/incident.ts'
import type { Machine } from '../core/machine.ts'
import type { Role } from './auth.ts'
import { Id } from './incidents.ts'
import { answer, failures, jsonSchema, line } from './schema.ts'

const by = line(100).optional().describe('Who did it; default: whoever the request is authenticated as.')

const By = z.strictObject({ by })

const Resolve = z.strictObject({
  by,
  as: z.enum(resolutions).describe('What it was: real, false-alarm, drill or test.'),
  note: z.string().max(2_000).optional().describe('What is worth remembering.'),
})

type Simple = Exclude<Change['is'], 'pressed' | 'restored' | 'moved' | 'resolved'>

const simple: readonly { path: string; is: Simple; needs: Role; summary: string }[] = [
  {
    path: 'acknowledge',
    is: 'acknowledged',
    needs: 'responder',
    summary: 'Somebody takes it on. Stops nothing but what a step marks with `unless: acknowledged`.',
  },
  { path: 'on-the-way', is: 'on-the-way', needs: 'responder', summary: 'Somebody is on the way.' },
  { path: 'on-scene', is: 'on-scene', needs: 'responder', summary: 'Somebody has arrived.' },
  { path: 'decline', is: 'declined', needs: 'responder', summary: 'Somebody can not come.' },
  {
    path: 'release',
    is: 'released',
    needs: 'supervisor',
    summary: 'Takes our holds off the doors; no later step of the incident sets one again.',
  },
]

/** What people do about an incident. In effect at once; the answer waits for the disk. */
export const changeRoutes = (app: FastifyInstance, machine: Machine): void => {
  const change = async (id: string, change: Change) => {
    const { incident, recorded } = await machine.bridge.change(id, change)
    if (!recorded)
      throw new BridgeError(
        'NOT_RECORDED',
        `incident ${incident.number}: ${change.is}, in effect but not recorded`,
      )
    return { incident }
  }
  for (const { path, is, needs, summary } of simple)
    app.post<{ Params: z.infer<typeof Id>; Body: z.infer<typeof By> }>(
      `/v1/incidents/:id/${path}`,
      { config: { needs }, schema: schemaOf(summary, By) },
      async (request) => change(request.params.id, { is, ...deed(machine, request) }),
    )
  app.post<{ Params: z.infer<typeof Id>; Body: z.infer<typeof Resolve> }>(
    '/v1/incidents/:id/resolve',
    {
      config: { needs: 'responder' },
      schema: schemaOf('It is over. Doors that it held are released.', Resolve),
    },
    async (request) => {
      const { as, note = '' } = request.body
      return change(request.params.id, { is: 'resolved', as, note, ...deed(machine, request) })
    },
  )
}

const deed = ({ clock }: Machine, { body, principal }: FastifyRequest) => ({
  at: clock.now(),
  by: (body as { by?: string }).by ?? principal.name,
})

const schemaOf = (summary: string, body: z.ZodType) => ({
  summary,
  params: jsonSchema(Id),
  body: jsonSchema(body),
  response: { 200: answer('`incident`, as it is now.'), ...failures(400, 404, 409, 415, 429, 503) },
})
