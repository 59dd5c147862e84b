import { connect, type Socket } from 'node:net'
import { deadline } from '../../../core/clock.ts'
import { done, failed, type Order, type Outcome } from '../../../core/command.ts'
import type { Context, Opening } from '../../../core/connector.ts'
import { BridgeError } from '../../../core/error.ts'
import type { Config, Mistake } from './index.ts'

/** Dials the bell and says who we are. */
export const open = async (
  { config, inputs }: Opening<Config, unknown, unknown>,
  ctx: Context,
  mistake: Mistake | null,
) => {
  const password = await ctx.secret(config.password)
  if (mistake === 'tells the secret') ctx.log.debug({ login: `bell:${password}` }, 'logging in')
  const line = new Line(config, ctx, mistake)
  const close = () => line.end('closed')
  ctx.signal.addEventListener('abort', close, { once: true })
  if (ctx.signal.aborted) close()
  line.lost.then(() => ctx.signal.removeEventListener('abort', close))
  const [device] = inputs.keys()
  let pressed = 0
  line.onPress = async (number) => {
    pressed++
    const key =
      mistake === 'numbers presses anew'
        ? `${pressed}`
        : mistake === 'takes every press for another'
          ? `${performance.now()}`
          : number
    if (mistake === 'acknowledges first') line.write(`ACK ${number}`)
    const recorded = ctx.record({
      is: 'press',
      phase: 'active',
      device: device ?? null,
      from: 'bell, button 1',
      key,
      raw: { number },
    })
    if (mistake === 'lets a rejection go') return void recorded.then(() => line.write(`ACK ${number}`))
    await recorded.then(
      () => line.write(`ACK ${number}`),
      () => {},
    )
  }
  try {
    await line.ask(
      `HELLO ${password}`,
      'HELLO',
      mistake === 'never gives up opening' ? 60_000 : config.timeout,
    )
  } catch (error) {
    if (mistake !== 'never gives up opening') close()
    throw mistake === 'rejects with anything' ? new Error('no') : error
  }
  return {
    lost: line.lost,
    acts: { 'bell.ring': (order: Order) => act(line, order, config, mistake) },
    close: async () => {
      if (mistake === 'closes for ever') await new Promise(() => {})
      ctx.signal.removeEventListener('abort', close)
      if (mistake !== 'leaks its socket' && mistake !== 'acts when closed') close()
    },
  }
}

const act = async (
  line: Line,
  order: Order,
  { timeout }: Config,
  mistake: Mistake | null,
): Promise<Outcome> => {
  if (order.signal.aborted && mistake !== 'acts though given up')
    return failed('ABORTED', 'given up before the bell was rung')
  if (line.why) return failed('LINK_DOWN', `the bell: ${line.why}`)
  try {
    await line.ask(
      `RING ${order.id}`,
      order.id,
      mistake === 'waits for ever' ? 60_000 : timeout,
      order.signal,
    )
    return done('answered')
  } catch (error) {
    if (mistake === 'throws') throw error
    line.end((error as Error).message)
    const { code, message } = error as BridgeError
    return failed(code, message, { effect: mistake === 'calls the effect none' ? 'none' : 'possible' })
  }
}

/** One connection: lines out, lines in, `OK word` answers `word`. */
class Line {
  why: string | null = null
  onPress: (number: string) => Promise<void> = async () => {}
  readonly lost: Promise<string>
  readonly #ctx: Context
  readonly #mistake: Mistake | null
  readonly #socket: Socket
  readonly #waiting = new Map<string, (error: BridgeError | null) => void>()
  #rest = ''
  #lost: (why: string) => void = () => {}

  constructor({ port }: Config, ctx: Context, mistake: Mistake | null) {
    this.#ctx = ctx
    this.#mistake = mistake
    this.lost = new Promise((resolve) => {
      this.#lost = resolve
    })
    this.#socket = connect({ port, host: '127.0.0.1' })
    this.#socket.on('error', () => this.end('no connection'))
    this.#socket.on('close', () => this.end('hung up'))
    this.#socket.on('data', (bytes) => this.#take(bytes.toString('latin1')))
  }

  end(why: string): void {
    if (this.why !== null) return
    this.why = why
    this.#socket.destroy()
    for (const settle of this.#waiting.values()) settle(new BridgeError('UNREACHABLE', `the bell: ${why}`))
    this.#lost(why)
  }

  write(line: string): void {
    if (this.#socket.writable) this.#socket.write(`${line}\n`)
  }

  async ask(line: string, word: string, ms: number, signal?: AbortSignal): Promise<void> {
    const time = deadline(this.#ctx.clock, ms, this.#mistake === 'waits for ever' ? undefined : signal)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.set(word, (error) => (error ? reject(error) : resolve()))
        const late = () => reject(new BridgeError('TIMEOUT', 'the bell gave no answer in time'))
        time.signal.addEventListener('abort', late, { once: true })
        if (this.why) reject(new BridgeError('UNREACHABLE', `the bell: ${this.why}`))
        this.write(line)
      })
    } finally {
      this.#waiting.delete(word)
      time.cancel()
    }
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length > 1_000) this.end('a line without an end')
    else for (const line of lines) this.#hear(line)
  }

  #hear(line: string): void {
    const [verb, word = ''] = line.split(' ')
    if (verb === 'PRESS' && /^\d+$/.test(word)) void this.onPress(word)
    else if (verb === 'OK') this.#waiting.get(word)?.(null)
    else if (verb === 'NO') this.#waiting.get(word)?.(new BridgeError('UNAUTHORIZED', 'the bell refused us'))
    else this.end('not the language of a bell')
  }
}
