import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { Kind, Level, type Press } from '../core/fact.ts'
import type { Machine } from '../core/machine.ts'
import type { Site } from '../core/site/site.ts'
import { Position, positionOf } from './position.ts'
import { failures, jsonSchema, line } from './schema.ts'

const keyOf = line(200)

const Body = z.strictObject({
  device: line(100)
    .optional()
    .describe('Name of the configured device. An unknown one summons help all the same.'),
  from: line(200).optional().describe('The source in words, where no configured device fits.'),
  kind: Kind.optional(),
  pattern: line(40).optional().describe('How it was pressed; the device maps it to a kind.'),
  key: keyOf
    .optional()
    .describe('What makes it the same press when it is sent twice; also as header `idempotency-key`.'),
  at: z
    .int()
    .min(0)
    .max(8_640_000_000_000_000)
    .optional()
    .describe("The sender's own time, ms since the epoch."),
  drill: z.boolean().optional().describe('Part of a drill.'),
  person: line(100).optional().describe('Who pressed.'),
  place: line(300).optional().describe('Path of the place where the person is, as the sender knows it.'),
  precision: Level.optional().describe(
    'How exactly the sender knows the place; default by the place itself.',
  ),
  position: Position.optional(),
  address: line(300).optional().describe('Where the person is, in words, outside of the site.'),
  words: line(200).optional().describe('What responders should know.'),
})
type Body = z.infer<typeof Body>

const Headers = z.object({ 'idempotency-key': keyOf.optional() })

const Answer = z.object({
  id: z.string().describe('Id of the event; the same for each repeat.'),
  incident: z.string().nullable().describe('Id of the incident that it opened or joined.'),
  duplicate: z.boolean().describe('It was known already.'),
})

/** Presses by API: answered when they are on disk. An alarm path, so nothing but core's own budget limits it. */
export const pressRoute = (app: FastifyInstance, machine: Machine): void => {
  app.post<{ Body: Body }>(
    '/v1/presses',
    {
      config: { needs: 'device', press: true },
      schema: {
        summary:
          'A call for people. Answered when it is on disk; 503 NOT_RECORDED: people are called all the same.',
        headers: jsonSchema(Headers),
        body: jsonSchema(Body),
        response: { 201: jsonSchema(Answer), ...failures(400, 413, 415, 429, 503) },
      },
    },
    async (request, reply) => {
      const { connector, press } = pressOf(machine, request)
      const recorded = await machine.bridge.record(connector, press)
      const { id, incident, duplicate } = recorded
      return reply.code(201).send({ id, incident, duplicate })
    },
  )
}

/** A device with a token of its own presses for itself; anybody else says for which device. */
const pressOf = (
  { site, clock }: Machine,
  request: FastifyRequest<{ Body: Body }>,
): { connector: string; press: Press } => {
  const { body, headers, principal, ip } = request
  const { kind, pattern, at, drill, address, words, position } = body
  const device = principal.device ?? body.device
  const found = device === undefined ? undefined : site.devices.get(device)
  // A press named after a door or a fire panel is still somebody's call, but that thing did not press.
  const known = found?.means === 'press' && found.input !== null
  const person = principal.device === undefined ? body.person : undefined
  const press: Press = {
    is: 'press',
    phase: 'active',
    device: known ? found.name : null,
    from: body.from ?? (device === undefined ? `API (${principal.name}, ${ip})` : `"${device}", by API`),
    key: body.key ?? (headers['idempotency-key'] as string | undefined) ?? randomUUID(),
    raw: { device: device ?? null, from: body.from ?? null, by: principal.name, address: ip },
    ...(kind === undefined ? {} : { kind }),
    ...(pattern === undefined ? {} : { pattern }),
    ...(at === undefined ? {} : { occurredAt: at }),
    ...(drill === true ? { drill } : {}),
    ...(person === undefined ? {} : { person }),
    ...(address === undefined ? {} : { address }),
    ...(words === undefined ? {} : { words }),
    ...(position === undefined ? {} : { position: positionOf(position, clock.now()) }),
    ...sightingOf(body, site, clock.now()),
  }
  return { connector: principal.device === undefined ? 'api' : (found?.connector ?? 'api'), press }
}

const sightingOf = ({ place: path, precision }: Body, site: Site, at: number): Pick<Press, 'sighting'> => {
  const place = path === undefined ? undefined : site.places.get(path)
  // A place that nobody knows is no reason to refuse a call for help.
  if (!place) return {}
  return { sighting: { place: place.path, precision: precision ?? place.level, from: 'manual', at } }
}
