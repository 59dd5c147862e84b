import type { FastifyInstance } from 'fastify'
import type { Machine } from '../core/machine.ts'
import { mustBeRecorded } from './assignments.ts'
import { fromCsv, toCsv } from './register-csv.ts'
import { Refused } from './reply.ts'
import { answer, failures } from './schema.ts'

/** A list of 10,000 devices, bytes. */
const bodyBytes = 2 * 1_048_576

/** The test register, as a spreadsheet reads and writes it. */
export const registerRoutes = (app: FastifyInstance, machine: Machine): void => {
  const { supervision, site, clock } = machine
  app.addContentTypeParser('text/csv', { parseAs: 'string', bodyLimit: bodyBytes }, (_request, body, done) =>
    done(null, body),
  )
  app.get(
    '/v1/register.csv',
    {
      schema: {
        summary: 'The test register: each device, when, by whom and how it was proven last.',
        produces: ['text/csv'],
      },
    },
    async (_request, reply) => {
      const standings = supervision.standings()
      const rows = [...site.devices.values()].map((device) => ({
        device,
        standing: standings.get(device.name) ?? { is: 'fine' as const, why: '' },
        tested: supervision.proofs.of(device.name),
      }))
      return reply
        .type('text/csv; charset=utf-8; header=present')
        .header('content-disposition', 'attachment; filename="register.csv"')
        .send(toCsv(rows))
    },
  )
  app.post<{ Body: string }>(
    '/v1/register.csv',
    {
      bodyLimit: bodyBytes,
      config: { needs: 'supervisor', csv: true },
      schema: {
        summary:
          'Takes in tests that others have done: columns device, at, by and note. All of it or, with every wrong line named, nothing; what is newer here stays.',
        consumes: ['text/csv'],
        response: {
          200: answer('How many were `taken`, and how many `older` ones were not.'),
          ...failures(400, 413, 415, 503),
        },
      },
    },
    async ({ body }) => {
      const { rows, problems } = fromCsv(body, site, clock.now())
      if (rows === null) {
        const first = problems[0]
        const message = `line ${first?.line}: ${first?.message}${problems.length > 1 ? `, and ${problems.length - 1} more` : ''}; nothing was taken in`
        throw new Refused('BAD_REQUEST', message, { problems })
      }
      const { taken, older, recorded } = await supervision.proofs.bring(rows)
      mustBeRecorded({ recorded }, `${taken} tests are taken in`)
      return { taken, older }
    },
  )
}
