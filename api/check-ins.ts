import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { BridgeError } from '../core/error.ts'
import type { Machine } from '../core/machine.ts'
import type { CheckIn } from '../core/people/check-ins.ts'
import { deviceOf, mustBeRecorded } from './assignments.ts'
import { Position, positionOf } from './position.ts'
import { Refused } from './reply.ts'
import { answer, failures, jsonSchema, line } from './schema.ts'
import { timeIn } from './time.ts'

const by = line(40).describe('When it counts as missed: `14:30` on the wall of the site, or a date with it.')

const Begin = z.strictObject({
  by,
  device: line(100).optional().describe('Name of the configured device that the person carries.'),
  person: line(100).optional().describe('Who it is, where the device does not say it.'),
  address: line(300).optional().describe('Where, in words, outside of the site.'),
  place: line(300).optional().describe('Path of the place, inside of it.'),
  position: Position.optional(),
  note: line(200).optional().describe('What responders should know.'),
})
type Begin = z.infer<typeof Begin>

const Id = z.strictObject({ id: line(100) })
const Extend = z.strictObject({ by })
/** Nobody waits longer for a lone worker, ms. */
const longestMs = 24 * 3_600_000

/** Timed check-ins of lone workers: a missed one is a press. */
export const checkInRoutes = (app: FastifyInstance, machine: Machine): void => {
  const { checkIns, clock, site } = machine
  const until = (text: string): number => {
    const at = timeIn(site.timezone, text, clock.now())
    if (at - clock.now() <= longestMs) return at
    throw new BridgeError('BAD_REQUEST', 'a check-in is at most 24 hours away')
  }
  app.get(
    '/v1/check-ins',
    {
      config: { needs: 'responder' },
      schema: { summary: 'Who will check in, and by when.', response: { 200: answer('`checkIns`.') } },
    },
    async () => ({ checkIns: checkIns.open() }),
  )
  app.post<{ Body: Begin }>(
    '/v1/check-ins',
    { config: { needs: 'device' }, schema: schemaOf('Somebody works alone, and says so by then.', Begin) },
    async (request, reply) => {
      const checkIn = begun(machine, request, until(request.body.by))
      mustBeRecorded(await checkIns.set(checkIn, request.principal.name), 'the check-in runs')
      return reply.code(201).send(checkIn)
    },
  )
  app.post<{ Params: z.infer<typeof Id>; Body: z.infer<typeof Extend> }>(
    '/v1/check-ins/:id/extend',
    {
      config: { needs: 'device' },
      schema: { ...schemaOf('It takes longer.', Extend), params: jsonSchema(Id) },
    },
    async (request) => {
      const checkIn = { ...ownOf(machine, request), until: until(request.body.by) }
      mustBeRecorded(await checkIns.set(checkIn, request.principal.name), 'the check-in is extended')
      return checkIn
    },
  )
  app.post<{ Params: z.infer<typeof Id> }>(
    '/v1/check-ins/:id/done',
    {
      config: { needs: 'device' },
      schema: { ...schemaOf('All is well.', z.strictObject({})), params: jsonSchema(Id) },
    },
    async (request) => {
      const checkIn = ownOf(machine, request)
      mustBeRecorded(await checkIns.end(checkIn, request.principal.name), 'the check-in is over')
      return checkIn
    },
  )
}

const begun = (
  machine: Machine,
  { body, principal }: FastifyRequest<{ Body: Begin }>,
  until: number,
): CheckIn => {
  const { address = null, place = null, note = null, position } = body
  const device = principal.device ?? body.device
  if (place !== null && !machine.site.places.has(place))
    throw new BridgeError('BAD_REQUEST', `there is no place \`${place}\``)
  if (device === undefined && body.person === undefined)
    throw new BridgeError('BAD_REQUEST', 'say who it is: a device or a person')
  const now = machine.clock.now()
  return {
    id: randomUUID(),
    device: device === undefined ? null : deviceOf(machine, device).name,
    person: principal.device === undefined ? (body.person ?? null) : null,
    since: now,
    until,
    address,
    place,
    position: position ? positionOf(position, now) : null,
    note,
  }
}

/** A device ends its own check-ins only. */
const ownOf = ({ checkIns }: Machine, { params, principal }: FastifyRequest): CheckIn => {
  const { id } = params as z.infer<typeof Id>
  const checkIn = checkIns.of(id)
  if (!checkIn || (principal.device !== undefined && checkIn.device !== principal.device))
    throw new Refused('NOT_FOUND', `there is no check-in ${id}`, {
      advice: 'It may be over: missed, or ended by somebody else.',
    })
  return checkIn
}

const schemaOf = (summary: string, body: z.ZodType) => ({
  summary,
  body: jsonSchema(body),
  response: { 200: answer('The check-in.'), ...failures(400, 404, 415, 429, 503) },
})
