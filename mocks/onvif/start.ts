import { HttpAuth } from '../http/auth.ts'
import { type HttpMock, type Reply, type Request, startHttp } from '../http/device.ts'
import { Journal, type Received } from '../mock.ts'
import { type About, deviceService } from './device.ts'
import { type Account, TokenCheck } from './security.ts'
import { type Call, Fault, ns, prefixOf, readCall, soapReply } from './soap.ts'
import type { Element } from './xml.ts'

/** What an operation gets besides its arguments. */
export interface Asked {
  readonly call: Call
  readonly request: Request
}

export interface Operation {
  /** Answered without authentication (access class PRE_AUTH). */
  readonly open?: true
  /** It moves or changes something: a test must expect it. Others are allowed from the start. */
  readonly acts?: true
  /** What the journal notes of the arguments. */
  readonly detail?: (args: Element) => Received['detail']
  /** The inside of the …Response element; a whole reply; or null for no answer at all. */
  readonly run: (args: Element, asked: Asked) => string | Reply | null | Promise<string | Reply | null>
}

export interface Service {
  readonly namespace: string
  readonly path: string
  /** By local name in the service's namespace, or by `{namespace}name` in another one. */
  readonly operations: { readonly [name: string]: Operation }
}

export interface OnvifOptions extends Account {
  readonly port?: number
  /** The device's clock minus ours, ms. */
  readonly clockOffsetMs?: number
  /** How requests may be signed; default WS-Security only. With both, an unsigned request gets the 401 of HTTP digest. */
  readonly auth?: readonly ('ws-security' | 'digest')[]
  /** The host that the device writes into its addresses, as one behind a router does; default 127.0.0.1. */
  readonly xaddrHost?: string
}

export interface OnvifMock extends HttpMock {
  /** Sets the device's clock, minus ours, ms. */
  setClock(offsetMs: number): void
  /** Milliseconds since the epoch by the device's clock. */
  now(): number
  /** Where clients begin. */
  readonly url: string
}

/** A page that is served beside the services, such as a snapshot. */
export type Page = (request: Request) => Reply | null

export interface Parts {
  readonly about: About
  readonly services: (address: (path: string) => string) => readonly Service[]
  readonly pages?: { readonly [path: string]: Page }
  readonly forget?: () => void
}

const local = (operation: Element, service: Service): Operation | undefined => {
  const { name, namespace } = operation
  const key = namespace === service.namespace ? name : `{${namespace}}${name}`
  return Object.hasOwn(service.operations, key) ? service.operations[key] : undefined
}

/** Starts an ONVIF device: SOAP 1.2 over HTTP, routed by address and by the name of the operation. */
export const startOnvif = async (
  { port = 0, clockOffsetMs = 0, auth = ['ws-security'], xaddrHost = '127.0.0.1', ...account }: OnvifOptions,
  { about, services: build, pages = {}, forget }: Parts,
): Promise<OnvifMock> => {
  const journal = new Journal()
  let offset = clockOffsetMs
  const now = () => Date.now() + offset
  const token = new TokenCheck(account, now)
  const digest = new HttpAuth({ ...account, schemes: ['digest'] })
  const services: Service[] = []
  const address = (path: string) => `http://${xaddrHost}:${mock.port}${path}`

  const find = ({ path }: Request, { operation }: Call) => {
    for (const service of services) {
      const found = service.path === path ? local(operation, service) : undefined
      if (found) return found
    }
    throw new Fault('Receiver', ['ActionNotSupported'], `${operation.name} is not supported at ${path}`)
  }

  const note = (operation: Operation, args: Element) =>
    journal.note(args.name, operation.detail?.(args) ?? {})

  const refuse = (request: Request, { header, operation }: Call): Reply | null => {
    const signed = header?.children.some((element) => element.namespace === ns.security) ?? false
    if (auth.includes('digest') && !(signed && auth.includes('ws-security'))) {
      const refused = digest.refuse(request)
      if (refused && request.headers.authorization)
        journal.note('not-authorized', { operation: operation.name, because: 'HTTP digest' })
      return refused
    }
    const because = token.refuse(header)
    if (because === null) return null
    journal.note('not-authorized', { operation: operation.name, because })
    return new Fault('Sender', ['NotAuthorized'], 'Sender not Authorized').reply()
  }

  const perform = async (request: Request): Promise<Reply | null> => {
    if (request.method !== 'POST') return { status: 405 }
    if (!request.headers['content-type']?.startsWith('application/soap+xml')) return { status: 415 }
    const call = readCall(request.body)
    const operation = find(request, call)
    const refused = operation.open ? null : refuse(request, call)
    if (refused) return refused
    note(operation, call.operation)
    const inside = await operation.run(call.operation, { call, request })
    if (typeof inside !== 'string') return inside
    const response = `${prefixOf(call.operation.namespace)}:${call.operation.name}Response`
    return soapReply(`<${response}>${inside}</${response}>`)
  }

  const mock = await startHttp(port, journal, {
    answer: async (request) => {
      const page = pages[request.path]
      if (page && request.method === 'GET') return page(request)
      try {
        return await perform(request)
      } catch (error) {
        if (error instanceof Fault) return error.reply()
        throw error
      }
    },
    note: (request) => {
      try {
        const call = readCall(request.body)
        note(find(request, call), call.operation)
      } catch (error) {
        if (!(error instanceof Fault)) throw error
      }
    },
    wrongAnswer: () =>
      soapReply(
        '<dev:GetHostnameResponse><dev:HostnameInformation><sch:FromDHCP>false</sch:FromDHCP>' +
          '<sch:Name>mock</sch:Name></dev:HostnameInformation></dev:GetHostnameResponse>',
      ),
    forget: () => {
      token.forget()
      digest.forget()
      forget?.()
    },
  })

  services.push(
    deviceService(
      about,
      now,
      () => services,
      (service) => address(service.path),
    ),
    ...build(address),
  )
  journal.allow('not-authorized')
  for (const { operations } of services)
    for (const [name, operation] of Object.entries(operations))
      if (!operation.acts) journal.allow(name.replace(/^\{.*\}/, ''))

  return Object.assign(mock, {
    now,
    url: `http://${mock.host}:${mock.port}/onvif/device_service`,
    setClock: (offsetMs: number) => {
      offset = offsetMs
    },
  })
}
