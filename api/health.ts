import type { FastifyInstance } from 'fastify'
import type { Machine } from '../core/machine.ts'
import { answer, failures } from './schema.ts'

/** For whoever watches the process, and for whoever decides where presses go. */
export const healthRoutes = (app: FastifyInstance, machine: Machine, version: string): void => {
  app.get(
    '/healthz',
    {
      config: { needs: 'anybody' },
      schema: {
        summary:
          'The process lives. Says nothing about the disk: a restart would erase what only memory knows.',
        response: { 200: answer('`alive`.') },
      },
    },
    async () => ({ alive: true }),
  )
  app.get(
    '/readyz',
    {
      schema: {
        summary: 'Whether everything is written to disk. An unreachable device does not make it unready.',
        response: {
          200: answer('Recording.'),
          503: answer('Not recording; the response runs from memory.'),
          ...failures(),
        },
      },
    },
    async (_request, reply) => {
      const view = readiness(machine, version)
      return reply.code(view.ready ? 200 : 503).send(view)
    },
  )
}

const readiness = ({ store, runner, book, faults, site, clock }: Machine, version: string) => {
  const { recording, why, buffered, lost, ballastGone } = store.health()
  const links = runner.health()
  const up = links.filter((link) => link.up).length
  return {
    ready: recording,
    recording,
    why: recording ? null : why,
    buffered,
    lost,
    ballastGone,
    links: { up, down: links.length - up },
    openIncidents: [...book.pages()].filter(({ incident }) => !incident.resolved).length,
    openFaults: faults.open().length,
    now: clock.now(),
    site: site.name,
    version,
  }
}
