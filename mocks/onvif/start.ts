import type { HttpAuth } from '../http/auth.ts'
import { type HttpMock, type Inside, type Reply, type Request, startHttp } from '../http/device.ts'
import { Journal, type Received } from '../mock.ts'
import { type About, deviceService } from './device.ts'
import { type Account, Gate, type Signature } from './security.ts'
import { type Call, Fault, prefixOf, readCall, soapReply } from './soap.ts'
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
  /** Not told by GetServices: clients get its address from another operation. */
  readonly unlisted?: true
  /** By local name in the service's namespace, or by `{namespace}name` in another one. */
  readonly operations: { readonly [name: string]: Operation }
}

export interface OnvifOptions extends Account {
  readonly port?: number
  /** The device's clock minus ours, ms. */
  readonly clockOffsetMs?: number
  /** How requests may be signed; default WS-Security only. With both, an unsigned request gets the 401 of HTTP digest. */
  readonly auth?: readonly Signature[]
  /** The host that the device writes into its addresses, as one behind a router does; default 127.0.0.1. */
  readonly xaddrHost?: string
}

export interface OnvifMock extends HttpMock {
  /** Sets the device's clock, minus ours, ms. */
  setClock(offsetMs: number): void
  /** From now on, or for the next `times`, this operation plays up. */
  plays(operation: string, play: Play, times?: number): void
  /** Milliseconds since the epoch by the device's clock. */
  now(): number
  /** Where clients begin. */
  readonly url: string
}

/** A page that is served beside the services, such as a snapshot; asking for it is an act. */
interface Page {
  /** For the journal. */
  readonly what: string
  readonly detail: () => Received['detail']
  readonly auth: HttpAuth
  readonly run: () => Reply
}

/** What an operation does instead of what it should: a fault, no answer, or success with nothing done. */
type Play = 'fails' | 'hangs' | 'sticks'

export interface Parts {
  readonly about: About
  readonly services: (address: (path: string) => string, now: () => number) => readonly Service[]
  /** More of the device service. */
  readonly deviceOperations?: Service['operations']
  readonly pages?: { readonly [path: string]: Page }
  readonly forget?: () => void
}

const notHere = (operation: Element, path: string) =>
  new Fault('Receiver', ['ActionNotSupported'], `${operation.name} is not supported at ${path}`)

/** Finds, admits, notes and performs what is asked. */
class Onvif implements Inside {
  readonly journal = new Journal()
  readonly services: Service[] = []
  readonly #gate: Gate
  readonly #pages: { readonly [path: string]: Page }
  readonly #forget: () => void
  readonly #plays = new Map<string, { readonly play: Play; times: number }>()

  constructor(gate: Gate, { pages = {}, forget = () => {} }: Parts) {
    this.#gate = gate
    this.#pages = pages
    this.#forget = forget
  }

  /** What changes nothing needs no expectation. */
  serve(services: readonly Service[]): void {
    this.services.push(...services)
    this.journal.allow('not-authorized')
    for (const { operations } of services)
      for (const [name, operation] of Object.entries(operations))
        if (!operation.acts) this.journal.allow(name.replace(/^\{.*\}/, ''))
  }

  plays(operation: string, play: Play, times = Number.POSITIVE_INFINITY): void {
    this.#plays.set(operation, { play, times })
  }

  async answer(request: Request): Promise<Reply | null> {
    try {
      const page = this.#page(request)
      return page ? this.#show(page, request) : await this.#perform(request)
    } catch (error) {
      if (error instanceof Fault) return error.reply()
      throw error
    }
  }

  note(request: Request): void {
    try {
      const page = this.#page(request)
      if (page) this.journal.note(page.what, page.detail())
      else this.#noteUnperformed(request)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
    }
  }

  wrongAnswer(): Reply {
    return soapReply(
      '<dev:GetHostnameResponse><dev:HostnameInformation><sch:FromDHCP>false</sch:FromDHCP>' +
        '<sch:Name>mock</sch:Name></dev:HostnameInformation></dev:GetHostnameResponse>',
    )
  }

  forget(): void {
    this.#gate.forget()
    this.#forget()
  }

  #page({ method, path }: Request): Page | undefined {
    return method === 'GET' && Object.hasOwn(this.#pages, path) ? this.#pages[path] : undefined
  }

  #show(page: Page, request: Request): Reply | null {
    const refused = page.auth.refuse(request)
    if (refused && request.headers.authorization) this.#noteRefused(page.what, 'HTTP')
    if (refused) return refused
    this.journal.note(page.what, page.detail())
    const play = this.#played(page.what)
    return play === 'hangs' ? null : play ? { status: 500 } : page.run()
  }

  async #perform(request: Request): Promise<Reply | null> {
    if (request.method !== 'POST') return { status: 405 }
    if (!request.headers['content-type']?.startsWith('application/soap+xml')) return { status: 415 }
    const call = readCall(request.body)
    const { name, namespace } = call.operation
    const operation = this.#find(request, call.operation)
    const refused = operation.open ? null : this.#gate.refuse(request, call.header)
    if (refused?.because) this.#noteRefused(name, refused.because)
    if (refused) return refused.reply
    this.#noteCall(operation, call.operation)
    const play = this.#played(name)
    if (play === 'hangs') return null
    if (play === 'fails') throw new Fault('Receiver', ['Action'], `${name} failed`)
    const inside = play === 'sticks' ? '' : await operation.run(call.operation, { call, request })
    if (typeof inside !== 'string') return inside
    const response = `${prefixOf(namespace)}:${name}Response`
    return soapReply(`<${response}>${inside}</${response}>`)
  }

  #find({ path }: Request, operation: Element): Operation {
    const { name, namespace } = operation
    const service = this.services.find((known) => known.path === path)
    if (!service) throw notHere(operation, path)
    const key = namespace === service.namespace ? name : `{${namespace}}${name}`
    const found = Object.hasOwn(service.operations, key) ? service.operations[key] : undefined
    if (!found) throw notHere(operation, path)
    return found
  }

  #played(name: string): Play | undefined {
    const playing = this.#plays.get(name)
    if (!playing || playing.times <= 0) return undefined
    playing.times--
    return playing.play
  }

  #noteUnperformed(request: Request): void {
    const { operation } = readCall(request.body)
    this.#noteCall(this.#find(request, operation), operation)
  }

  #noteCall(operation: Operation, args: Element): void {
    this.journal.note(args.name, operation.detail?.(args) ?? {})
  }

  #noteRefused(operation: string, because: string): void {
    this.journal.note('not-authorized', { operation, because })
  }
}

/** Starts an ONVIF device: SOAP 1.2 over HTTP, routed by address and by the name of the operation. */
export const startOnvif = async (options: OnvifOptions, parts: Parts): Promise<OnvifMock> => {
  let offset = options.clockOffsetMs ?? 0
  const now = () => Date.now() + offset
  const inside = new Onvif(new Gate(options, options.auth ?? ['ws-security'], now), parts)
  const mock = await startHttp(options.port ?? 0, inside.journal, inside)
  const address = (path: string) => `http://${options.xaddrHost ?? mock.host}:${mock.port}${path}`
  const listed = () => inside.services.filter(({ unlisted }) => !unlisted)
  inside.serve([
    deviceService(parts.about, now, listed, address, parts.deviceOperations ?? {}),
    ...parts.services(address, now),
  ])
  return Object.assign(mock, {
    now,
    url: `http://${mock.host}:${mock.port}/onvif/device_service`,
    plays: inside.plays.bind(inside),
    setClock: (offsetMs: number) => {
      offset = offsetMs
    },
  })
}
