import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Clock } from '../core/clock.ts'
import { hostName, isLoopback } from './address.ts'
import { type Authenticate, mayAct, type Principal, type Role } from './auth.ts'
import { Bucket } from './bucket.ts'
import { Refused } from './reply.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What it takes to ask; default viewer. `anybody` is asked nothing: such a route holds no data of the site. */
    needs?: Role | 'anybody'
    /** A press: core's own budget decides, so that no limit here delays a first one. */
    press?: true
    /** Its body is CSV, which forms of foreign pages can't send either. */
    csv?: true
  }
  interface FastifyRequest {
    principal: Principal
  }
}

const nobody: Principal = { name: 'nobody', role: 'viewer' }

/**
 * Everything that is asked of a request before its route runs, in one synchronous turn: presses pass here, so it is
 * a few comparisons and at most one digest.
 */
export const guard = (
  app: FastifyInstance,
  around: { readonly authenticate: Authenticate; readonly clock: Clock; readonly host: string },
): void => {
  const { authenticate, clock, host } = around
  const bucket = new Bucket(clock)
  const names = new Set([host.toLowerCase(), `[${host.toLowerCase()}]`])
  app.decorateRequest('principal', null as unknown as Principal)
  app.addHook('onRequest', (request, reply, next) => {
    reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store')
    try {
      if (isLoopback(host)) knownHost(request, names)
      if (request.method !== 'GET' && request.method !== 'HEAD') ownPage(request)
      const { needs = 'viewer', press } = request.routeOptions.config
      request.principal = needs === 'anybody' ? nobody : authenticate(request)
      if (needs !== 'anybody' && !mayAct(request.principal, needs))
        throw new Refused('FORBIDDEN', `this takes the role ${needs}; yours is ${request.principal.role}`)
      if (request.method !== 'GET' && request.method !== 'HEAD' && !press && !bucket.take(request.ip))
        throw new Refused('TOO_BUSY', 'too many requests from this address')
      next()
    } catch (error) {
      next(error as Error)
    }
  })
}

/** DNS rebinding: a page from elsewhere reaches a loopback address only under a name of its own. */
const knownHost = ({ headers }: FastifyRequest, names: ReadonlySet<string>): void => {
  const name = hostName(headers.host ?? '')
  if (isLoopback(name) || names.has(name)) return
  throw new Refused('FORBIDDEN', 'the Host header names another machine', {
    advice: 'Use http://localhost or the address in `api.listen`.',
  })
}

/**
 * Forms of foreign pages can't send JSON without asking first, and browsers say where a request comes from
 * (Fetch Standard, "Origin"; Fetch Metadata, "Sec-Fetch-Site").
 */
const ownPage = ({ headers, method, routeOptions }: FastifyRequest): void => {
  const { origin } = headers
  if (origin !== undefined && URL.parse(origin)?.host !== headers.host)
    throw new Refused('FORBIDDEN', 'the request comes from a page of another origin', {
      advice: 'Call the API from its own page or without a browser.',
    })
  // A DELETE has no body, and no form can send one.
  if (method === 'DELETE') return
  const wanted = routeOptions.config.csv ? 'text/csv' : 'application/json'
  const type = (headers['content-type'] ?? '').split(';', 1)[0] as string
  if (type.trim().toLowerCase() === wanted) return
  throw new Refused('BAD_REQUEST', `the body must be ${wanted === 'text/csv' ? 'CSV' : 'JSON'}`, {
    status: 415,
    advice: `Send \`content-type: ${wanted}\`.`,
  })
}
