import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BoundedMap } from '../../core/bounded.ts'
import type { Context, Link, Opening, Recorded, SecretRef } from '../../core/connector.ts'
import { BridgeError, type ErrorCode, messageOf } from '../../core/error.ts'
import type { Json, Press, Sighting } from '../../core/fact.ts'
import { type Call, callsIn, Keys, parseBody } from './codec.ts'
import type { Config, Input } from './index.ts'
import { type Make, makerOf } from './mapping.ts'
import { Refusals } from './refusals.ts'
import { answer, httpRequest, listen, refuse } from './server.ts'
import { type Sign, signerOf, type Verify, verifierOf } from './signature.ts'

/** A time in a body that is further off than this is not believed for a location, ms. */
const believable = { past: 3_600_000, future: 60_000 }
/** Signed requests remembered against replay under another key. */
const onceMax = 20_000

export const open = async (
  opening: Opening<Config, Input, never>,
  ctx: Context,
): Promise<Link<never, never>> => {
  const { config } = opening
  // The schema demands one of the two.
  const secret = await ctx.secret((config.hmac?.secret ?? config.bearer) as SecretRef)
  if (secret === '') throw new BridgeError('SECRET_MISSING', 'the secret of the webhook is empty')
  const webhook = new Webhook(opening, ctx, verifierOf(config, secret), signerOf(config, secret))
  const share = await listen(config, (request, response) => webhook.receive(request, response), ctx.clock)
  const close = () => {
    ctx.signal.removeEventListener('abort', close)
    return share.close()
  }
  ctx.signal.addEventListener('abort', close)
  if (ctx.signal.aborted) await close()
  const { address, port } = share.address
  const url = `${config.tls ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${port}${config.path}`
  ctx.log.info({ url }, 'webhook listens')
  return {
    lost: share.lost,
    acts: {},
    probe: async () => ({ url, ...webhook.counts }),
    beat: (mark, signal) => webhook.beat(mark, url, signal),
    close,
  }
}

class Webhook {
  readonly #name: string
  readonly #config: Config
  readonly #ctx: Context
  readonly #verify: Verify
  readonly #make: Make
  readonly #devices: ReadonlyMap<string, string>
  readonly #keys = new Keys()
  readonly #refusals: Refusals
  readonly #once = new BoundedMap<string, { given: string | null; at: number }>(onceMax)
  readonly #keyHeader: string
  readonly #sign: Sign
  /** Marks of our own heartbeats that are on their way. */
  readonly #marks = new Set<string>()
  #recorded = 0

  constructor(
    { name, config, inputs }: Opening<Config, Input, never>,
    ctx: Context,
    verify: Verify,
    sign: Sign,
  ) {
    this.#sign = sign
    this.#name = name
    this.#config = config
    this.#ctx = ctx
    this.#verify = verify
    this.#make = makerOf(config)
    this.#devices = new Map([...inputs].map(([device, { id }]) => [id, device]))
    this.#refusals = new Refusals(ctx.clock, ctx.log)
    this.#keyHeader = config.hmac?.style === 'standard' ? 'webhook-id' : 'idempotency-key'
  }

  get counts(): { recorded: number; refused: Json } {
    return { recorded: this.#recorded, refused: { ...this.#refusals.counts } }
  }

  receive(request: IncomingMessage, response: ServerResponse): void {
    const max = this.#config['max-body']
    const tooLarge = () => this.#refuse(request, response, 413, 'TOO_LARGE', `at most ${max} bytes`)
    if (request.method !== 'POST')
      this.#refuse(request, response, 405, 'BAD_REQUEST', 'a webhook takes POST', { allow: 'POST' })
    else if (Number(request.headers['content-length'] ?? 0) > max) tooLarge()
    else gather(request, max, tooLarge, (body) => void this.#take(request, response, body))
  }

  /** Calls itself over its own wire, signed as a sender would. */
  async beat(mark: string, url: string, signal: AbortSignal): Promise<void> {
    const body = Buffer.from(JSON.stringify({ heartbeat: mark }))
    this.#marks.add(mark)
    try {
      const headers = this.#sign(body, mark, this.#ctx.clock.now())
      const status = await post(url, body, headers, signal)
      if (status !== 200) throw new BridgeError('BAD_ANSWER', `its own webhook answered ${status}`)
    } finally {
      this.#marks.delete(mark)
    }
  }

  /** The mark in a body, if it is one of ours. */
  #markIn(payload: Json): string | null {
    if (this.#marks.size === 0 || payload === null || typeof payload !== 'object') return null
    const { heartbeat } = payload as { heartbeat?: Json }
    return typeof heartbeat === 'string' && this.#marks.has(heartbeat) ? heartbeat : null
  }

  async #take(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const now = this.#ctx.clock.now()
    const proof = this.#verify(request.headers, body, now)
    if ('wrong' in proof) {
      this.#refuse(request, response, 401, 'BAD_SIGNATURE', proof.wrong)
      return
    }
    try {
      const payload = parseBody(body)
      const mark = this.#markIn(payload)
      if (mark !== null) {
        answer(response, 200, await this.#ctx.record(beatOf(mark)))
        return
      }
      this.#ctx.heard()
      const made = this.#make(payload)
      const calls = callsIn(made instanceof Promise ? await made : made)
      const { given, at } = this.#firstUse(proof.once, request.headers, now)
      const facts = calls.map((call, nth) =>
        this.#pressOf(
          call,
          this.#keys.keyOf(call, given, nth, body, at),
          calls.length === 1 ? payload : call,
          now,
        ),
      )
      const answers = await this.#record(facts)
      answer(response, 200, answers.length === 1 ? (answers[0] as Recorded) : { presses: answers })
    } catch (error) {
      this.#failed(request, response, error)
    }
  }

  async #record(facts: readonly Press[]): Promise<Recorded[]> {
    const [only] = facts
    if (only && facts.length === 1) {
      const recorded = await this.#ctx.record(only)
      this.#recorded++
      return [recorded]
    }
    // Each on its own, so that one that is refused keeps none of the others from being taken.
    const settled = await Promise.allSettled(facts.map((fact) => this.#ctx.record(fact)))
    this.#recorded += settled.filter(({ status }) => status === 'fulfilled').length
    return settled.map((each) => {
      if (each.status === 'rejected') throw each.reason
      return each.value
    })
  }

  /** A signed request that comes again is the same one, whatever unsigned key it now carries. */
  #firstUse(once: string | null, headers: IncomingHttpHeaders, now: number) {
    const header = headers[this.#keyHeader]
    const use = { given: typeof header === 'string' && header !== '' ? header.slice(0, 200) : null, at: now }
    if (once === null) return use
    const before = this.#once.get(once)
    if (before) return before
    this.#once.set(once, use)
    return use
  }

  #pressOf(call: Call, key: string, raw: Json, now: number): Press {
    const device = this.#devices.get(call.id) ?? null
    const sighting = this.#sightingOf(call, now)
    const near = call.area ?? call.place
    return {
      is: 'press',
      phase: call.phase ?? 'active',
      device,
      from:
        device ?? `webhook ${this.#name}: unknown id ${call.id}${near === undefined ? '' : `, near ${near}`}`,
      key,
      raw,
      ...(call.at !== undefined && { occurredAt: call.at }),
      ...(call.kind && { kind: call.kind }),
      ...(call.pattern && { pattern: call.pattern }),
      ...(call.person && { person: call.person }),
      ...(sighting && { sighting }),
      ...(call.drill && { drill: true }),
      ...(call.simulated && { simulated: true }),
    }
  }

  #sightingOf(call: Call, now: number): Sighting | null {
    const area = call.area === undefined ? undefined : this.#config.areas[call.area]
    const seen = area ?? (call.place ? { place: call.place, precision: this.#config.precision } : null)
    if (!seen) return null
    const { at = now, confidence } = call
    const sane = at >= now - believable.past && at <= now + believable.future
    return {
      ...seen,
      from: 'badge',
      at: sane ? Math.min(at, now) : now,
      ...(confidence !== undefined && { confidence }),
    }
  }

  #failed(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const code = error instanceof BridgeError ? error.code : 'CRASHED'
    const soon = { 'retry-after': 1 }
    if (code === 'NOT_RECORDED') refuse(response, 503, code, 'responding, not recorded', soon)
    else if (code === 'TOO_BUSY') refuse(response, 429, code, 'too many presses at once: send it again', soon)
    else if (code === 'BAD_REQUEST') this.#refuse(request, response, 400, code, messageOf(error))
    else {
      this.#ctx.log.error({ error: messageOf(error) }, 'a webhook request could not be taken in')
      refuse(response, 503, code, 'not recorded: send it again', soon)
    }
  }

  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    code: ErrorCode,
    why: string,
    headers: Record<string, string> = {},
  ): void {
    const tooMany = this.#refusals.tooMany(request.socket.remoteAddress ?? '', code, why)
    if (tooMany)
      refuse(response, 429, 'TOO_BUSY', `too many invalid requests: ${why}`, {
        connection: 'close',
        'retry-after': 10,
      })
    else refuse(response, status, code, why, headers)
  }
}

const beatOf = (mark: string): Press => ({
  is: 'press',
  phase: 'active',
  device: null,
  from: 'heartbeat',
  key: `heartbeat ${mark}`,
  raw: null,
  heartbeat: mark,
})

/** Posts to ourselves; whose certificate that is we know, whatever name it is for. */
const post = (
  url: string,
  body: Buffer,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<number> =>
  new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': body.length },
      rejectUnauthorized: false,
      agent: false,
      signal,
    }
    const call = (url.startsWith('https:') ? httpsRequest : httpRequest)(url, options, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
      response.on('error', reject)
    })
    call.on('error', reject)
    call.end(body)
  })

/** Reads a body of at most `max` bytes; what is more is thrown away, until the request's time is up. */
const gather = (
  request: IncomingMessage,
  max: number,
  tooLarge: () => void,
  whole: (body: Buffer) => void,
): void => {
  const chunks: Buffer[] = []
  let length = 0
  request.on('data', (chunk: Buffer) => {
    const fitted = length <= max
    length += chunk.length
    if (length <= max) chunks.push(chunk)
    else if (fitted) tooLarge()
  })
  // A sender that goes away in the middle has sent nothing.
  request.on('error', () => {})
  request.on('end', () => {
    if (length <= max) whole(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))
  })
}
