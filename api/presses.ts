import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { Kind, type Press } from '../core/fact.ts'
import type { Machine } from '../core/machine.ts'
import type { Site } from '../core/site/site.ts'
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
      config: { needs: 'responder', press: true },
      schema: {
        summary:
          'A call for people. Answered when it is on disk; 503 NOT_RECORDED: people are called all the same.',
        headers: jsonSchema(Headers),
        body: jsonSchema(Body),
        response: { 201: jsonSchema(Answer), ...failures(400, 413, 415, 429, 503) },
      },
    },
    async (request, reply) => {
      const recorded = await machine.bridge.record('api', pressOf(machine.site, request))
      const { id, incident, duplicate } = recorded
      return reply.code(201).send({ id, incident, duplicate })
    },
  )
}

const pressOf = (site: Site, { body, headers, principal, ip }: FastifyRequest<{ Body: Body }>): Press => {
  const { device, kind, pattern, at, drill, person } = body
  const found = device === undefined ? undefined : site.devices.get(device)
  // A press named after a door or a fire panel is still somebody's call, but that thing did not press.
  const known = found?.means === 'press' && found.input !== null
  return {
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
  }
}
