import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { parseDuration } from '../core/connector.ts'
import { BridgeError } from '../core/error.ts'
import type { Machine } from '../core/machine.ts'
import { selfTestMs, servicedMaxMs, walkTestMaxMs, walkTestMs } from '../core/supervision/modes.ts'
import { deviceOf, mustBeRecorded, Name } from './assignments.ts'
import { mayAct } from './auth.ts'
import { pictureOf } from './picture.ts'
import { Refused } from './reply.ts'
import { answer, failures, jsonSchema, line } from './schema.ts'

type Named = z.infer<typeof Name>

const time = z.string().regex(/^\d{1,4}(\.\d+)?[smh]$/)

const Repair = z.strictObject({
  for: time.describe('For how long, such as 90m or 2h; at most 8h.'),
  because: line(300).describe('Why: everybody who looks at the device reads it.'),
})

const Inspect = z.strictObject({
  damaged: z.boolean().describe('Whether it is damaged.'),
  note: line(2_000).describe('What was seen.'),
  photo: z
    .string()
    .max(2_900_000)
    .optional()
    .describe('A picture of it, JPEG or PNG of at most 2 MB, as base64. It is kept as evidence.'),
})

const Start = z.strictObject({
  devices: z.array(line(100)).min(1).max(2_000).optional().describe('The devices to be tested.'),
  place: line(300).optional().describe('Instead: all fixed ones in this place.'),
  for: time.optional().describe('For how long, such as 30m; default 2h, at most 8h.'),
})

const Id = z.strictObject({ id: line(100).describe('Id of the walk test.') })

/** Base64 of a picture of 2 MB, and the rest. */
const inspectionBytes = 3 * 1_048_576

/** Service mode, inspections, walk tests and the wearer's own test. */
export const supervisionRoutes = (app: FastifyInstance, machine: Machine): void => {
  modeRoutes(app, machine)
  inspectionRoute(app, machine)
  walkTestRoutes(app, machine)
}

const modeRoutes = (app: FastifyInstance, machine: Machine): void => {
  const { modes } = machine.supervision
  app.post<{ Params: Named; Body: z.infer<typeof Repair> }>(
    '/v1/devices/:name/service',
    {
      config: { needs: 'responder' },
      schema: schemaOf(
        'Somebody works on it: its faults page nobody until then. Its presses summon help all the same.',
        Repair,
      ),
    },
    async ({ params, body, principal }) => {
      const { name } = deviceOf(machine, params.name)
      const forMs = durationOf(body.for, servicedMaxMs)
      const committed = await modes.startService(name, { forMs, by: principal.name, why: body.because })
      mustBeRecorded(committed, `${name} is in service mode`)
      return { device: name, service: modes.serviced(name, machine.clock.now()) ?? null }
    },
  )
  app.delete<{ Params: Named }>(
    '/v1/devices/:name/service',
    { config: { needs: 'responder' }, schema: schemaOf('The work is done.', null) },
    async ({ params, principal }) => {
      const { name } = deviceOf(machine, params.name)
      const committed = await modes.endService(name, principal.name)
      if (!committed)
        throw new Refused('NOT_FOUND', `${name} is not in service mode`, { advice: 'Nothing to do.' })
      mustBeRecorded(committed, `${name} is out of service mode`)
      return { device: name, service: null }
    },
  )
}

const inspectionRoute = (app: FastifyInstance, machine: Machine): void => {
  app.post<{ Params: Named; Body: z.infer<typeof Inspect> }>(
    '/v1/devices/:name/inspection',
    {
      bodyLimit: inspectionBytes,
      config: { needs: 'responder' },
      schema: schemaOf('Somebody has looked at it.', Inspect),
    },
    async ({ params, body, principal }) => {
      const { name } = deviceOf(machine, params.name)
      const { damaged, note, photo: base64 } = body
      const at = machine.clock.now()
      const picture = base64 === undefined ? null : pictureOf(base64)
      const photo =
        picture && (await machine.keep(picture.bytes, { mediaType: picture.mediaType, capturedAt: at }))
      const inspection = { damaged, note, photo, by: principal.name, at }
      mustBeRecorded(await machine.supervision.inspected(name, inspection), `${name} is inspected`)
      return { device: name, inspection }
    },
  )
}

const walkTestRoutes = (app: FastifyInstance, machine: Machine): void => {
  const { modes } = machine.supervision
  app.get(
    '/v1/walk-tests',
    { schema: { summary: 'Walk tests that run.', response: { 200: answer('`walkTests`.'), ...failures() } } },
    async () => ({ walkTests: modes.walkTests() }),
  )
  app.post<{ Body: z.infer<typeof Start> }>(
    '/v1/walk-tests',
    {
      config: { needs: 'supervisor' },
      schema: {
        summary:
          'Presses of these devices are tests until then: told as such, no door is moved, and whose outputs were observed is proven.',
        body: jsonSchema(Start),
        response: { 201: answer('`walkTest`.'), ...failures(400, 404, 409, 415, 429, 503) },
      },
    },
    async ({ body, principal }, reply) => {
      const { devices, place, for: time } = body
      if ((devices === undefined) === (place === undefined))
        throw new BridgeError('BAD_REQUEST', 'name either `devices` or a `place`')
      const { test, committed } = await modes.startWalkTest({
        ...(devices === undefined ? {} : { devices }),
        ...(place === undefined ? {} : { place }),
        forMs: time === undefined ? walkTestMs : durationOf(time, walkTestMaxMs),
        by: principal.name,
      })
      mustBeRecorded(committed, 'the walk test runs')
      return reply.code(201).send({ walkTest: test })
    },
  )
  app.delete<{ Params: z.infer<typeof Id> }>(
    '/v1/walk-tests/:id',
    {
      config: { needs: 'supervisor' },
      schema: {
        summary: 'Ends a walk test: from now on every press is real.',
        params: jsonSchema(Id),
        response: { 200: answer('`id`.'), ...failures(404, 503) },
      },
    },
    async ({ params: { id }, principal }) => {
      const committed = await modes.stopWalkTest(id, principal.name)
      if (!committed)
        throw new Refused('NOT_FOUND', 'there is no such walk test', { advice: 'List the walk tests.' })
      mustBeRecorded(committed, 'the walk test is over')
      return { id }
    },
  )
  app.post<{ Params: Named }>(
    '/v1/devices/:name/self-test',
    {
      config: { needs: 'device' },
      schema: schemaOf(
        'Who wears it wants to test it: for 60 s its presses are tests, then every press is real.',
        z.strictObject({}),
      ),
    },
    async ({ params, principal }) => {
      const { name, worn } = deviceOf(machine, params.name)
      if (principal.device !== undefined && principal.device !== name)
        throw new Refused('FORBIDDEN', 'a device tests itself only')
      if (principal.device === undefined && !mayAct(principal, 'responder'))
        throw new Refused('FORBIDDEN', `this takes the role responder; yours is ${principal.role}`)
      if (!worn) throw new BridgeError('BAD_REQUEST', `${name} is not worn: start a walk test for it`)
      const about = { devices: [name], by: principal.name, forMs: selfTestMs, self: true }
      const { test, committed } = await modes.startWalkTest(about)
      mustBeRecorded(committed, `${name} may be tested`)
      return { device: name, until: test.until }
    },
  )
}

const durationOf = (text: string, most: number): number => {
  const ms = parseDuration(text) ?? 0
  if (ms >= 1_000 && ms <= most) return ms
  throw new BridgeError('BAD_REQUEST', `for ${text}: from 1s to ${most / 3_600_000}h`)
}

const schemaOf = (summary: string, body: z.ZodType | null) => ({
  summary,
  params: jsonSchema(Name),
  ...(body === null ? {} : { body: jsonSchema(body) }),
  response: { 200: answer('`device` and how it is now.'), ...failures(400, 404, 409, 413, 415, 429, 503) },
})
