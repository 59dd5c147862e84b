import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { BridgeError } from '../core/error.ts'
import { locate } from '../core/location/locate.ts'
import type { Machine } from '../core/machine.ts'
import type { Device } from '../core/site/site.ts'
import { answer, failures, jsonSchema, line } from './schema.ts'
import { timeIn } from './time.ts'

export const Name = z.strictObject({ name: line(100).describe('Name of a configured device.') })
type Named = z.infer<typeof Name>

const Assign = z.strictObject({
  person: line(100).describe('Who carries it from now on.'),
  role: line(60).optional().describe('What they are by profession.'),
  until: line(40)
    .optional()
    .describe(
      'When it comes back: `19:00`, `2026-11-22 19:00` or with an offset; default: when it is stale.',
    ),
})

const Why = z.strictObject({ why: line(300).describe('Why it must be known. It stands on the trail.') })

export const deviceOf = ({ site }: Machine, name: string): Device => {
  const device = site.devices.get(name)
  if (!device) throw new BridgeError('UNKNOWN_DEVICE', `there is no device \`${name}\``)
  return device
}

/** Throws NOT_RECORDED for what is in effect but not on disk. */
export const mustBeRecorded = (committed: { recorded: boolean }, what: string): void => {
  if (!committed.recorded) throw new BridgeError('NOT_RECORDED', `${what}, in effect but not recorded`)
}

/** Who carries what, and the one way to see where a device is without an incident. */
export const assignmentRoutes = (app: FastifyInstance, machine: Machine): void => {
  const { assignments, clock, site, memory, register } = machine
  app.get(
    '/v1/assignments',
    {
      config: { needs: 'supervisor' },
      schema: { summary: 'Who carries what.', response: { 200: answer('`assignments`.'), ...failures() } },
    },
    async () => {
      const now = clock.now()
      const rows = [...assignments.all()].map(([device, assignment]) => {
        return { device, ...assignment, stale: assignments.of(device, now) === null }
      })
      return { assignments: rows }
    },
  )
  app.post<{ Params: Named; Body: z.infer<typeof Assign> }>(
    '/v1/devices/:name/assign',
    { config: { needs: 'responder' }, schema: schemaOf('Hands a device to somebody.', Assign) },
    async ({ params, body, principal }) => {
      const { name } = deviceOf(machine, params.name)
      const { person, role = null, until } = body
      const since = clock.now()
      const end = until === undefined ? null : timeIn(site.timezone, until, since)
      const assignment = { person, role, since, until: end, by: principal.name }
      mustBeRecorded(await assignments.set(name, assignment, principal.name), `${name} is assigned`)
      return { device: name, ...assignment }
    },
  )
  app.post<{ Params: Named }>(
    '/v1/devices/:name/return',
    { config: { needs: 'responder' }, schema: schemaOf('Takes a device back.', z.strictObject({})) },
    async ({ params, principal }) => {
      const { name } = deviceOf(machine, params.name)
      mustBeRecorded(await assignments.set(name, null, principal.name), `${name} is taken back`)
      return { device: name }
    },
  )
  app.post<{ Params: Named; Body: z.infer<typeof Why> }>(
    '/v1/devices/:name/locate',
    {
      config: { needs: 'supervisor' },
      schema: schemaOf(
        'Where a device is, without an incident. Who asks, and why, stands on the trail.',
        Why,
      ),
    },
    async ({ params, body, principal }) => {
      const device = deviceOf(machine, params.name)
      const by = principal.name
      const entry = { what: 'located', incident: null, device: device.name, by, why: body.why } as const
      // On the trail before it is told.
      mustBeRecorded(await register.set([], [entry]), 'it is not told')
      return {
        device: device.name,
        location: locate(site, device, { ...memory.state(device.name) }, clock.now()),
      }
    },
  )
}

const schemaOf = (summary: string, body: z.ZodType) => ({
  summary,
  params: jsonSchema(Name),
  body: jsonSchema(body),
  response: { 200: answer('`device` and what is known of it.'), ...failures(400, 404, 415, 429, 503) },
})
