import type { AddressInfo } from 'node:net'
import swagger from '@fastify/swagger'
import { type FastifyInstance, type FastifyServerOptions, fastify } from 'fastify'
import type { Log } from '../core/connector.ts'
import { BridgeError, messageOf } from '../core/error.ts'
import type { Machine } from '../core/machine.ts'
import { isLoopback } from './address.ts'
import { assignmentRoutes } from './assignments.ts'
import { authenticator } from './auth.ts'
import { changeRoutes } from './changes.ts'
import { checkInRoutes } from './check-ins.ts'
import { coverageRoutes } from './coverage.ts'
import { deviceRoutes } from './devices.ts'
import { doorRoute } from './doors.ts'
import { guard } from './guard.ts'
import { healthRoutes } from './health.ts'
import { incidentRoutes } from './incidents.ts'
import { streamRoute } from './listening.ts'
import { metricsRoute, observe } from './metrics.ts'
import { pageRoutes } from './page/page.ts'
import { pressRoute } from './presses.ts'
import { probeRoute } from './probe.ts'
import type { Registry } from './prometheus.ts'
import { Recent } from './recent.ts'
import { registerRoutes } from './register.ts'
import { failureOf, Refused, rawRefusal, refuse } from './reply.ts'
import { Stream } from './stream.ts'
import { supervisionRoutes } from './supervision.ts'
import { Validation } from './validation.ts'

const bodyBytesMax = 64 * 1_024
/** From the first byte of a request to its last, ms. */
const requestMs = 10_000
/** A connection without a request is kept this long, ms. */
const keepAliveMs = 60_000
const connectionsMax = 1_000
/** Requests under way may still be answered for so long when the API closes, ms. */
const closeMs = 300

export interface ApiOptions {
  readonly listen: { readonly host: string; readonly port: number }
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** null: whoever is on this machine may do everything. */
  readonly token: string | null
  /** Tokens with which single devices may press and check in, by their names. */
  readonly deviceTokens?: ReadonlyMap<string, string>
  readonly log: Log
  readonly version: string
  /** Of `makeMeter`, whose meter the machine has. */
  readonly registry: Registry
}

export interface Api {
  readonly url: string
  /** Ends streams at once, waits a moment for requests under way. */
  close(): Promise<void>
}

/** Serves the machine over HTTP. Rejects with NOT_LISTENING, or BAD_CONFIG for an address open to all without guard. */
export const startApi = async (machine: Machine, options: ApiOptions): Promise<Api> => {
  const { listen, tls, registry } = options
  refuseUnguarded(machine, options)
  const stream = new Stream(machine)
  const recent = new Recent(machine)
  const unobserve = observe(registry, machine)
  const validation = new Validation(machine.clock)
  const app = build(options, validation)
  const end = () => {
    validation.stop()
    stream.stop()
    recent.stop()
    unobserve()
  }
  try {
    await routes(app, machine, { ...options, stream, recent })
    await app.listen(listen).catch((error: unknown) => {
      const where = `${listen.host}:${listen.port}`
      throw new BridgeError('NOT_LISTENING', `the API can't listen on ${where}: ${messageOf(error)}`)
    })
  } catch (error) {
    end()
    await app.close()
    throw error
  }
  const { port } = app.server.address() as AddressInfo
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  return {
    url: `${tls ? 'https' : 'http'}://${host}:${port}`,
    close: async () => {
      end()
      const timer = machine.clock.after(closeMs, () => app.server.closeAllConnections())
      await app.close()
      timer.cancel()
    },
  }
}

/** Nothing listens beyond this machine without TLS and token unless the config says so in so many words. */
const refuseUnguarded = ({ site }: Machine, { listen, tls, token }: ApiOptions): void => {
  if (isLoopback(listen.host) || site.api['plain-beyond-this-machine'] || (tls && token !== null)) return
  throw new BridgeError(
    'BAD_CONFIG',
    `api.listen: ${listen.host} is open to other machines, and ${tls ? 'no token' : 'no TLS'} is configured`,
  )
}

const build = ({ tls, log }: ApiOptions, validation: Validation): FastifyInstance => {
  const settings: FastifyServerOptions = {
    bodyLimit: bodyBytesMax,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    forceCloseConnections: 'idle',
    // A press that comes while we close is still somebody's call.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 200 },
    schemaController: {
      compilersFactory: {
        // Its types know Ajv's compiler only.
        buildValidator: () => validation.compiler as never,
        // Schemas of answers are for the documentation: they filter nothing, and JSON.stringify needs no compiling.
        buildSerializer: () => () => (data) => JSON.stringify(data),
      },
    },
    frameworkErrors: (error, _request, reply) => {
      const status = error.statusCode ?? 400
      void refuse(reply, new Refused('BAD_REQUEST', 'the path is not valid', { status }))
    },
    clientErrorHandler: (error, socket) => {
      if (socket.writable) socket.end(rawRefusal(error.code))
      else socket.destroy()
    },
  }
  const app = tls ? (fastify({ ...settings, https: tls } as object) as FastifyInstance) : fastify(settings)
  app.server.headersTimeout = requestMs
  app.server.maxConnections = connectionsMax
  app.setErrorHandler((error, request, reply) => {
    const { status } = failureOf(error)
    if (status === 500)
      log.error({ route: request.routeOptions.url, error: messageOf(error) }, 'a request failed')
    return refuse(reply, error)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]?.slice(0, 100)
    return refuse(
      reply,
      new Refused('NOT_FOUND', `there is no ${request.method} ${path}`, { advice: 'See /v1/openapi.json.' }),
    )
  })
  readJsonOnly(app)
  return app
}

/** An empty body counts as `{}`, so that `curl -X POST` is enough to acknowledge. */
const readJsonOnly = (app: FastifyInstance): void => {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, {})
    else void parse(request, body as string, done)
  })
}

const routes = async (
  app: FastifyInstance,
  machine: Machine,
  {
    token,
    deviceTokens = new Map(),
    listen,
    version,
    registry,
    stream,
    recent,
  }: ApiOptions & { stream: Stream; recent: Recent },
): Promise<void> => {
  const authenticate = authenticator(token, machine.site.api['plain-beyond-this-machine'], deviceTokens)
  guard(app, { authenticate, clock: machine.clock, host: listen.host })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'duress-bridge', version, description: 'From a press to its receipts.' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  })
  incidentRoutes(app, machine, recent)
  changeRoutes(app, machine)
  pressRoute(app, machine)
  deviceRoutes(app, machine)
  assignmentRoutes(app, machine)
  checkInRoutes(app, machine)
  coverageRoutes(app, machine)
  supervisionRoutes(app, machine)
  registerRoutes(app, machine)
  doorRoute(app, machine, recent)
  probeRoute(app, machine)
  streamRoute(app, stream)
  healthRoutes(app, machine, version)
  metricsRoute(app, registry)
  pageRoutes(app)
  app.get('/v1/openapi.json', { schema: { summary: 'This documentation.' } }, async () => app.swagger())
  await app.ready()
}
