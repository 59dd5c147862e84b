import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { afterEach, expect, test } from 'vitest'
import type { Outcome } from '../../core/command.ts'
import { testContext } from '../../test/context.ts'
import http, { type Target } from './index.ts'

const path = (name: string) => `${import.meta.dirname}/fixtures/${name}.pem`
const pem = (name: string) => readFileSync(path(name))

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

const start = async (tls: object, more: object = {}) => {
  const options = { cert: pem('server'), key: pem('server.key'), ca: pem('ca'), requestCert: true, ...more }
  const server = createServer(options, (request, response) => {
    request.resume()
    response.end()
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `https://127.0.0.1:${(server.address() as { port: number }).port}`
  const config = http.config.parse({ url, tls, requests: { 'door.highlight': {} } })
  const none = new Map<string, never>()
  const { ctx } = testContext()
  const link = await http.open({ name: 'x', config, inputs: none, outputs: none, cursors: none }, ctx)
  const address: Target = { values: {} }
  const signal = new AbortController().signal
  const outcome = await link.acts['door.highlight']({ id: 'c', attempt: 1, address, args: {}, signal })
  const probed = await link.probe?.(null, signal).catch((error) => error.code)
  await link.close()
  return { outcome, probed }
}

const failure = (outcome: Outcome) => (outcome.ok ? 'done' : [outcome.failure.code, outcome.effect])

test('a server is trusted by our own authority, and trusts our certificate', async () => {
  const tls = { ca: path('ca'), cert: path('client'), key: path('client.key') }
  const { outcome, probed } = await start(tls, { rejectUnauthorized: true })
  expect(failure(outcome)).toBe('done')
  expect(probed).toMatchObject({ connected: expect.any(String) })
})

test('a server that nobody vouches for gets nothing', async () => {
  const { outcome, probed } = await start({}, { rejectUnauthorized: false })
  expect(failure(outcome)).toEqual(['UNREACHABLE', 'none'])
  expect(probed).toBe('UNREACHABLE')
})

test('a certificate for another name is refused', async () => {
  const tls = { ca: path('ca'), 'server-name': 'other.test' }
  expect(failure((await start(tls, { rejectUnauthorized: false })).outcome)).toEqual(['UNREACHABLE', 'none'])
  const right = { ca: path('ca'), 'server-name': 'doors.test' }
  expect(failure((await start(right, { rejectUnauthorized: false })).outcome)).toBe('done')
})

test('a certificate that is not there is told when the link opens', async () => {
  await expect(start({ ca: path('nowhere') })).rejects.toMatchObject({ code: 'SECRET_MISSING' })
})
