import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { deadline } from '../core/clock.ts'
import { BridgeError } from '../core/error.ts'
import type { Machine } from '../core/machine.ts'
import { failureOf } from './reply.ts'
import { answer, failures, jsonSchema, line } from './schema.ts'

/** How long a target may take to answer, ms. */
const probeMs = 10_000

const Body = z.strictObject({
  target: line(200).describe('Name of a device, of a way to a responder, or of a link.'),
})

/** Tries targets out; moves nothing. What a target says, also "no", is an answer and not a failure of the request. */
export const probeRoute = (app: FastifyInstance, machine: Machine): void => {
  app.post<{ Body: z.infer<typeof Body> }>(
    '/v1/probe',
    {
      config: { needs: 'administrator' },
      schema: {
        summary: 'Tries a target out: reachable, credentials, address. Moves nothing.',
        body: jsonSchema(Body),
        response: {
          200: answer('`target`, `link`, `ms`, `ok`, and `result` or `error`.'),
          ...failures(400, 404, 415, 429),
        },
      },
    },
    async ({ body: { target } }) => {
      const found = find(machine, target)
      if (!found)
        throw new BridgeError('UNKNOWN_DEVICE', `there is no device, contact path or link ${target}`)
      return { target, link: found.link, ...(await probe(machine, found)) }
    },
  )
}

interface Found {
  readonly link: string
  readonly address: unknown
}

const find = ({ site, runner }: Machine, target: string): Found | null => {
  const device = site.devices.get(target)
  if (device) return { link: device.link, address: device.output ?? null }
  for (const { paths } of site.responders.values())
    for (const path of paths) if (path.name === target) return path
  return runner.health().some(({ name }) => name === target) ? { link: target, address: null } : null
}

const probe = async ({ runner, clock }: Machine, { link, address }: Found) => {
  const startedAt = clock.mono()
  const limit = deadline(clock, probeMs)
  const late = new Promise<never>((_, reject) => {
    limit.signal.addEventListener('abort', () =>
      reject(new BridgeError('TIMEOUT', `${link} did not answer within ${probeMs / 1_000} s`)),
    )
  })
  try {
    const result = await Promise.race([runner.probe(link, address, limit.signal), late])
    return { ok: true, ms: Math.round(clock.mono() - startedAt), result }
  } catch (error) {
    return { ok: false, ms: Math.round(clock.mono() - startedAt), ...failureOf(error).failure }
  } finally {
    limit.cancel()
  }
}
