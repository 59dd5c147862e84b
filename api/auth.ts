import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { isLoopback } from './address.ts'
import { Refused } from './reply.ts'

/** What somebody may do; each includes the ones before. A device presses and checks in, and sees nothing. */
const roles = ['device', 'viewer', 'responder', 'supervisor', 'administrator'] as const
export type Role = (typeof roles)[number]

/** Who asks. */
export interface Principal {
  /** Stands in the trail where a request names nobody else. */
  readonly name: string
  readonly role: Role
  /** Name of the device that asks with a token of its own: it speaks for itself only. */
  readonly device?: string
}

export const mayAct = (principal: Principal, role: Role): boolean =>
  roles.indexOf(principal.role) >= roles.indexOf(role)

/** Finds out who asks, or throws FORBIDDEN. Accounts and single sign-on take its place behind the same type. */
export type Authenticate = (request: FastifyRequest) => Principal

/**
 * A device with a token of its own is known by it. With a token of the API, everybody else shows that. Without one, whoever is on this machine is its administrator, and others are
 * refused unless the config opens the API to them in so many words.
 */
export const authenticator = (
  token: string | null,
  openToAll: boolean,
  deviceTokens: ReadonlyMap<string, string>,
): Authenticate => {
  // By digest, so that how long a look-up takes tells nothing of a token.
  const devices = new Map([...deviceTokens].map(([name, secret]) => [hex(digestOf(secret)), name]))
  const anybody = everybody(token, openToAll)
  return (request) => {
    const shown = devices.size === 0 ? undefined : shownIn(request)
    const device = shown === undefined ? undefined : devices.get(hex(digestOf(shown)))
    return device === undefined ? anybody(request) : { name: device, role: 'device', device }
  }
}

const everybody = (token: string | null, openToAll: boolean): Authenticate => {
  if (token !== null) {
    const wanted = digestOf(token)
    return (request) => {
      const shown = shownIn(request)
      // Digests have one length, so that the comparison takes the same time for every wrong token.
      if (shown !== undefined && timingSafeEqual(digestOf(shown), wanted)) return bearer
      throw new Refused('FORBIDDEN', shown === undefined ? 'a token is needed' : 'this is not the token', {
        status: 401,
        advice: 'Send `authorization: Bearer TOKEN` with the token of `api.token` in the config.',
      })
    }
  }
  return ({ ip }) => {
    if (isLoopback(ip)) return local
    if (openToAll) return network
    throw new Refused('FORBIDDEN', 'only this machine may ask while no token is configured', {
      advice: 'Configure `api.token`.',
    })
  }
}

const bearer: Principal = { name: 'token', role: 'administrator' }
const local: Principal = { name: 'local', role: 'administrator' }
const network: Principal = { name: 'network', role: 'administrator' }

const shownIn = ({ headers }: FastifyRequest): string | undefined =>
  /^Bearer +(\S{1,4096})$/i.exec(headers.authorization ?? '')?.[1]

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const digestOf = (text: string): Uint8Array => createHash('sha256').update(text).digest()
