import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Order, Outcome } from '../../core/command.ts'
import { startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { testContext } from '../../test/context.ts'
import snpp, { type Pager } from './index.ts'

type Answer = string | null | ((socket: Socket) => void)
type Answers = Partial<Record<string, Answer>>

const servers: Server[] = []
const pagers: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const pager of pagers.splice(0)) await pager.close()
  for (const server of servers.splice(0)) server.close()
})

/** A server that answers each verb as given, else 250; `heard` is every line that it got. */
const gateway = async (answers: Answers = {}) => {
  const heard: string[] = []
  const say = (socket: Socket, answer: Answer) => {
    if (typeof answer === 'function') answer(socket)
    else if (answer !== null) socket.write(`${answer}\r\n`)
  }
  const server = createServer((socket) => {
    socket.on('error', () => {})
    say(socket, answers['hello'] === undefined ? '220 ready' : answers['hello'])
    let rest = ''
    socket.on('data', (bytes) => {
      const lines = (rest + bytes.toString('latin1')).split('\r\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        heard.push(line)
        const verb = line.slice(0, 4)
        if (verb === 'QUIT') socket.end('221 bye\r\n')
        else say(socket, answers[verb] === undefined ? '250 ok' : (answers[verb] as Answer))
      }
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { heard, port: (server.address() as { port: number }).port, answers }
}

const pressed = Date.now()
const message = (silent = false) => ({
  incident: '0198',
  site: 'Mercy North',
  timezone: 'UTC',
  number: 42,
  about: 'press' as const,
  kind: 'duress' as const,
  drill: false,
  silent,
  where: {
    place: 'ed/triage-2',
    name: 'Triage 2, Emergency',
    short: 'ED Triage 2',
    precision: 'room' as const,
    from: 'fixed' as const,
    at: pressed,
  },
  who: 'x\r\nSEND\r\n.',
  source: null,
  receivedAt: pressed,
  dueAt: pressed,
  acknowledgedBy: null,
  notes: [],
})

const start = async (port: number, over: object = {}, secret = 'pa55word') => {
  const config = snpp.config.parse({ host: '127.0.0.1', port, timeout: '500ms', ...over })
  const { ctx, lines } = testContext({ secret: async () => secret })
  const none = new Map<string, never>()
  const opening = { name: 'pagers', config, inputs: none, outputs: none, cursors: none }
  const link = await snpp.open(opening, ctx)
  return { link, lines }
}

const order = (id = '5550100', signal = new AbortController().signal, silent = false) =>
  ({ id: 'c1', attempt: 1, address: { id }, args: { message: message(silent) }, signal }) as Order<Pager, any>

const failure = (outcome: Outcome) =>
  outcome.ok ? 'done' : { code: outcome.failure.code, retry: outcome.failure.retry, effect: outcome.effect }

describe('page.send', () => {
  test('pages, says what it said, and names the job', async () => {
    const server = await gateway({ SEND: '250 sent, job: 7' })
    const { link } = await start(server.port)
    const outcome = await link.acts['page.send'](order())
    expect(outcome).toMatchObject({ ok: true, proof: 'answered', result: { reference: '7' } })
    const [quit, page, mess, send] = server.heard
    expect([quit, page, send]).toEqual(['QUIT', 'PAGE 5550100', 'SEND'])
    expect(mess).toMatch(/^MESS DURESS ED Triage 2, by x SEND \., \d\d:\d\d:\d\d, #42$/)
    expect(mess).toBe(`MESS ${(outcome as any).result.text}`)
  })

  test('no line is longer than the pager shows', async () => {
    const server = await gateway()
    const { link } = await start(server.port, { characters: 20 })
    await link.acts['page.send'](order())
    expect(server.heard).toContain('MESS DURESS ED Triage 2')
  })

  test('options come before the pager they are for, and a server need not know them', async () => {
    const server = await gateway({ LEVE: '500 what?', ALER: '250 ok', CALL: '500 what?' })
    const { link } = await start(server.port, { level: 0, alert: true, caller: 'BRIDGE' })
    expect(failure(await link.acts['page.send'](order()))).toBe('done')
    expect(server.heard.slice(1).map((line) => line.slice(0, 4))).toEqual([
      'LEVE',
      'ALER',
      'PAGE',
      'CALL',
      'MESS',
      'SEND',
    ])
  })

  test('a silent incident never overrides how a pager alerts', async () => {
    const server = await gateway()
    const { link } = await start(server.port, { alert: true })
    await link.acts['page.send'](order('1', undefined, true))
    expect(server.heard.filter((line) => line.startsWith('ALER'))).toEqual([])
  })

  test.each<[string, Answers, object]>([
    [
      'an unknown pager',
      { PAGE: '550 no such pager' },
      { code: 'NOT_FOUND', retry: 'never', effect: 'none' },
    ],
    ['no way for it now', { PAGE: '554 try later' }, { code: 'BUSY', retry: 'backoff', effect: 'none' }],
    ['goodbye', { PAGE: '421 closing' }, { code: 'BUSY', retry: 'backoff', effect: 'none' }],
    ['a login is wanted', { PAGE: '530 log in' }, { code: 'UNAUTHORIZED', retry: 'backoff', effect: 'none' }],
    ['a text is refused', { MESS: '550 invalid' }, { code: 'REFUSED', retry: 'backoff', effect: 'none' }],
    ['wrong sequence', { MESS: '503 twice' }, { code: 'BAD_ANSWER', retry: 'backoff', effect: 'none' }],
    ['several lines', { PAGE: '550-no\r\n550 way' }, { code: 'NOT_FOUND', retry: 'never', effect: 'none' }],
    ['garbage', { PAGE: '\u00ff\u0000\u0001' }, { code: 'BAD_ANSWER', retry: 'backoff', effect: 'none' }],
    ['two answers', { PAGE: '250 a\r\n250 b' }, { code: 'BAD_ANSWER', retry: 'backoff', effect: 'none' }],
    [
      'an endless line',
      { PAGE: '2'.repeat(2_000) },
      { code: 'BAD_ANSWER', retry: 'backoff', effect: 'none' },
    ],
    ['silence before SEND', { MESS: null }, { code: 'TIMEOUT', retry: 'backoff', effect: 'none' }],
    ['silence after SEND', { SEND: null }, { code: 'TIMEOUT', retry: 'backoff', effect: 'possible' }],
    ['SEND is refused', { SEND: '550 no' }, { code: 'REFUSED', retry: 'backoff', effect: 'possible' }],
    [
      'SEND fails at the carrier',
      { SEND: '750 expired' },
      { code: 'REFUSED', retry: 'backoff', effect: 'possible' },
    ],
    ['SEND is busy', { SEND: '554 later' }, { code: 'BUSY', retry: 'backoff', effect: 'possible' }],
    [
      'a reset before SEND',
      { MESS: (socket) => socket.resetAndDestroy() },
      { code: 'UNREACHABLE', retry: 'backoff', effect: 'none' },
    ],
    [
      'hanging up after SEND',
      { SEND: (socket) => socket.end() },
      { code: 'UNREACHABLE', retry: 'backoff', effect: 'possible' },
    ],
  ])('%s', async (_, answers, expected) => {
    const server = await gateway()
    const { link } = await start(server.port)
    Object.assign(server.answers, answers)
    expect(failure(await link.acts['page.send'](order()))).toEqual(expected)
  })

  test('given up before it starts: nothing is sent', async () => {
    const server = await gateway()
    const { link } = await start(server.port)
    const lines = server.heard.length
    expect(failure(await link.acts['page.send'](order('1', AbortSignal.abort())))).toMatchObject({
      code: 'ABORTED',
      effect: 'none',
    })
    expect(server.heard.length).toBe(lines)
  })

  test('given up while the server thinks: SEND is never written', async () => {
    const abort = new AbortController()
    const server = await gateway({
      MESS: (socket) => {
        abort.abort()
        socket.write('250 ok\r\n')
      },
    })
    const { link } = await start(server.port)
    expect(failure(await link.acts['page.send'](order('1', abort.signal)))).toMatchObject({
      code: 'ABORTED',
      effect: 'none',
    })
    expect(server.heard).not.toContain('SEND')
  })

  test('closing the link ends a page in flight at once', async () => {
    let asked = () => {}
    const waiting = new Promise<void>((resolve) => {
      asked = resolve
    })
    const server = await gateway({ PAGE: () => asked() })
    const { link } = await start(server.port, { timeout: '30s' })
    const outcome = link.acts['page.send'](order())
    await waiting
    await link.close()
    await link.close()
    expect(failure(await outcome)).toMatchObject({ code: 'ABORTED', effect: 'none' })
  })
})

describe('opening and probing', () => {
  test('opening says what is wrong with the server', async () => {
    const closed = await gateway()
    await new Promise((resolve) => servers.pop()?.close(resolve))
    await expect(start(closed.port)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await expect(start((await gateway({ hello: '421 down' })).port)).rejects.toMatchObject({ code: 'BUSY' })
    await expect(start((await gateway({ hello: null })).port)).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(start((await gateway({ hello: 'SSH-2.0' })).port)).rejects.toMatchObject({
      code: 'BAD_ANSWER',
    })
  })

  test('a wrong login is found at once, and the password is nowhere', async () => {
    const login = { id: 'bridge', password: { env: 'X' } }
    const server = await gateway({ LOGI: '550 bridge pa55word is wrong' })
    const error = await start(server.port, { login }).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'UNAUTHORIZED' })
    expect(String(error.stack)).not.toContain('pa55word')
    expect(server.heard[0]).toBe('LOGI bridge pa55word')
  })

  test('a probe finds an unknown pager and sends nothing', async () => {
    const server = await gateway({ PAGE: (socket) => socket.write('550 unknown\r\n') })
    const { link } = await start(server.port)
    const signal = new AbortController().signal
    await expect(link.probe?.({ id: '1' }, signal)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    delete server.answers['PAGE']
    expect(await link.probe?.({ id: '2' }, signal)).toMatchObject({ pager: '2' })
    expect(server.heard).toContain('RESE')
    expect(server.heard.filter((line) => /^(SEND|MESS)/.test(line))).toEqual([])
  })
})

describe('with a paging gateway', () => {
  const gatewayWith = async (more: Partial<Parameters<typeof startSnppPager>[0]> = {}) => {
    const pager = await startSnppPager({ pagers: ['5550100'], ...more })
    pagers.push(pager)
    return pager
  }

  test('a page arrives as it was said, with its options', async () => {
    const pager = await gatewayWith({ login: { id: 'bridge', password: 'pa55word' } })
    const login = { id: 'bridge', password: { env: 'X' } }
    const { link } = await start(pager.port, { login, level: 0, alert: true, caller: 'BRIDGE' })
    const outcome = await link.acts['page.send'](order())
    expect(outcome).toMatchObject({ ok: true, proof: 'answered' })
    const { detail } = await pager.journal.expect('page', ({ id }) => id === '5550100')
    expect(detail).toMatchObject({
      level: 0,
      alert: true,
      callerId: 'BRIDGE',
      text: (outcome as any).result.text,
    })
    pager.journal.verify()
  })

  test('a gateway of level 1 is enough', async () => {
    const pager = await gatewayWith({ level2: false })
    const { link } = await start(pager.port, { level: 0, alert: true, caller: 'BRIDGE' })
    expect(failure(await link.acts['page.send'](order()))).toBe('done')
    await pager.journal.expect('page')
  })

  test('busy, gone, hanging and wrong gateways have their outcomes, and the next page goes again', async () => {
    const pager = await gatewayWith()
    const { link } = await start(pager.port)
    const ended = async () => failure(await link.acts['page.send'](order()))
    expect(failure(await link.acts['page.send'](order('999')))).toMatchObject({
      code: 'NOT_FOUND',
      retry: 'never',
    })
    pager.busy()
    expect(await ended()).toMatchObject({ code: 'BUSY', effect: 'possible' })
    pager.busy(false)
    pager.refuse(true, { by: 'greeting' })
    expect(await ended()).toMatchObject({ code: 'BUSY', effect: 'none' })
    pager.refuse(true)
    expect(await ended()).toMatchObject({ code: 'UNREACHABLE', effect: 'none' })
    pager.refuse(false)
    pager.behave({ is: 'half-open' })
    expect(await ended()).toMatchObject({ code: 'TIMEOUT', effect: 'none' })
    pager.behave({ is: 'garbage' })
    expect(await ended()).toMatchObject({ code: 'BAD_ANSWER', effect: 'none' })
    pager.behave({ is: 'normal' })
    expect(pager.journal.count('page')).toBe(0)
    expect(await ended()).toBe('done')
    pager.stopAt('SEND', 'hang')
    expect(await ended()).toMatchObject({ code: 'TIMEOUT', effect: 'possible' })
    expect(pager.journal.count('page')).toBe(2)
  })

  test('answers of several lines are understood', async () => {
    const pager = await gatewayWith()
    pager.answerWrong('multi-line')
    const { link } = await start(pager.port)
    expect(failure(await link.acts['page.send'](order()))).toBe('done')
  })

  test('no connection is left behind', async () => {
    const pager = await gatewayWith()
    const { link } = await start(pager.port)
    for (let i = 0; i < 20; i++) await link.acts['page.send'](order())
    await expect.poll(() => pager.openSockets).toBe(0)
  })
})
