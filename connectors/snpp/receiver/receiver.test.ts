import { randomBytes } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { SimulatedClock } from '../../../core/clock.ts'
import type { Context } from '../../../core/connector.ts'
import { BridgeError } from '../../../core/error.ts'
import type { Press } from '../../../core/fact.ts'
import { Dial } from '../../../mocks/dial.ts'
import { type SnppSenderOptions, snppSender } from '../../../mocks/snpp-sender/index.ts'
import { testContext } from '../../../test/context.ts'
import { message } from '../../conformance/kit.ts'
import snpp from '../index.ts'
import receiver from './index.ts'

const links: { close(): Promise<void> }[] = []
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(links.splice(0).map((link) => link.close()))
  delete process.env['SNPP_TEST_PASSWORD']
})

const written = {
  patterns: [
    { match: '(?<kind>code \\w+) room (?<place>[\\w ]+?) badge (?<id>\\d+)' },
    { match: 'pull cord', kind: 'assist' },
  ],
  places: { 'ED 2': { place: 'north/ed/triage-2', precision: 'room' } },
  kinds: { 'CODE GRAY': 'duress' },
}

const open = async (config: object = {}, context: Partial<Context> = {}) => {
  const testing = testContext(context)
  const opening = {
    name: 'rtls',
    config: receiver.config.parse({ listen: '127.0.0.1:0', ...written, ...config }),
    inputs: new Map([
      ['anna', { id: '17' }],
      ['cord-31', { id: '31' }],
    ]),
    outputs: new Map<string, never>(),
    cursors: new Map(),
  }
  // A port of its own for each test; the kernel picks it.
  const port = await freePort()
  const link = await receiver.open(
    { ...opening, config: { ...opening.config, listen: `127.0.0.1:${port}` } },
    testing.ctx,
  )
  links.push(link)
  const sender = (options: Partial<SnppSenderOptions> = {}) => snppSender({ port, ...options })
  const probe = () =>
    link.probe!(null, new AbortController().signal) as Promise<{ recorded: number; refused: object }>
  return { ...testing, link, port, sender, probe, presses: testing.facts as Press[] }
}

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const refusing = (code: 'NOT_RECORDED' | 'TOO_BUSY'): Partial<Context> => ({
  record: async () => {
    throw new BridgeError(code, 'the disk is full')
  },
})

describe('a page', () => {
  test('is answered 250 when it is on disk, not before', async () => {
    let recordNow = () => {}
    const may = new Promise<void>((resolve) => {
      recordNow = resolve
    })
    let offered = 0
    const { sender } = await open(
      {},
      {
        record: async () => {
          offered++
          await may
          return { duplicate: false, id: 'x', incident: null }
        },
      },
    )
    let answered = false
    const sent = sender()
      .page({ pagers: ['5550100'], text: 'CODE GRAY ROOM ED 2 BADGE 17' })
      .then((returned) => {
        answered = true
        return returned
      })
    await vi.waitFor(() => expect(offered).toBe(1))
    expect(answered).toBe(false)
    recordNow()
    expect((await sent).code).toBe(250)
  })

  test('says who, where and what, by the words of the sender', async () => {
    const { sender, presses, notes } = await open()
    await sender().page({ pagers: ['5550100'], text: 'Code Gray room ED 2 badge 17' })
    expect(presses).toMatchObject([
      {
        is: 'press',
        device: 'anna',
        kind: 'duress',
        sighting: { place: 'north/ed/triage-2', precision: 'room', from: 'badge' },
      },
    ])
    expect(notes[0]).toMatchObject({ device: 'anna', state: { quality: 'good' } })
  })

  test('that no pattern fits opens an incident in its own words', async () => {
    const { sender, presses } = await open()
    expect((await sender().page({ pagers: ['1'], text: 'WHAT IS THIS' })).code).toBe(250)
    expect(presses).toMatchObject([{ device: null, kind: 'unknown', from: 'WHAT IS THIS' }])
  })

  test('to several pagers is one press; where the pager is the device, each is its own', async () => {
    const { sender, presses } = await open()
    await sender().page({ pagers: ['1', '2', '3'], text: 'Code Gray room ED 2 badge 17' })
    expect(presses).toHaveLength(1)
    await sender().page({ pagers: ['31', '32'], text: 'PULL CORD' })
    expect(presses.slice(1)).toMatchObject([{ device: 'cord-31', kind: 'assist' }, { device: null }])
  })

  test('by DATA, with a subject and every option of level 2, says the same', async () => {
    const { sender, presses } = await open()
    const returned = await sender().page({
      pagers: ['1'],
      subject: 'Code Gray',
      text: 'room ED 2\nbadge 17\n.',
      by: 'data',
      caller: '4711',
      level: 0,
      alert: 1,
      coverage: 'north',
      hold: '261122140000 -6',
    })
    expect(returned.code).toBe(250)
    expect(presses[0]).toMatchObject({
      device: 'anna',
      raw: {
        text: 'Code Gray room ED 2 badge 17 .',
        wire: { CALL: '4711', LEVE: '0', ALER: '1', COVE: 'north', HOLD: '261122140000 -6' },
      },
    })
  })

  test('in UTF-8 or in Latin-1 keeps its letters', async () => {
    const { sender, presses, port } = await open()
    await sender().page({ pagers: ['1'], text: 'Zimmer für Ärzte' })
    const client = await Dial.to(port)
    client.send(Buffer.from('PAGE 1\r\nMESS Zimmer f\xfcr \xc4rzte\r\nSEND\r\nQUIT\r\n', 'latin1'))
    await client.closed
    expect(presses.map(({ from }) => from)).toEqual(['Zimmer für Ärzte'])
  })

  test('that is sent again is the same press', async () => {
    const { sender, presses } = await open()
    const one = sender()
    await one.page({ pagers: ['1'], text: 'PULL CORD BATH' })
    expect((await one.repeat()).code).toBe(250)
    expect(presses).toHaveLength(1)
  })

  test.each(['NOT_RECORDED', 'TOO_BUSY'] as const)('%s is 554, and SEND alone asks again', async (code) => {
    const keys: string[] = []
    const { sender, lines } = await open(
      {},
      {
        record: async ({ key }) => {
          keys.push(key)
          if (keys.length < 3) throw new BridgeError(code, 'the disk is full')
          return { duplicate: false, id: 'x', incident: null }
        },
      },
    )
    const { replies } = await sender().page({ pagers: ['1'], text: 'PULL CORD', insist: 5 })
    expect(replies.slice(-3)).toEqual(['SEND 554', 'SEND 554', 'SEND 250'])
    expect(new Set(keys).size).toBe(1)
    expect(lines.some(({ level }) => level === 'error')).toBe(true)
  })

  test('our own paging link delivers to it', async () => {
    const { presses, port } = await open()
    const config = snpp.config.parse({ host: '127.0.0.1', port, level: 1, caller: '42' })
    const link = await snpp.open(
      { name: 'pagers', config, inputs: new Map<string, never>(), outputs: new Map(), cursors: new Map() },
      testContext().ctx,
    )
    links.push(link)
    const outcome = await link.acts['page.send']({
      id: 'incident/step.0/security',
      attempt: 1,
      address: { id: '5550100' },
      args: { message },
      signal: new AbortController().signal,
    })
    expect(outcome).toMatchObject({ ok: true, proof: 'answered' })
    expect(presses).toMatchObject([{ device: null, kind: 'unknown' }])
  })
})

describe('the protocol', () => {
  const dialogue = async (port: number, ...commands: string[]): Promise<string> => {
    const client = await Dial.to(port)
    const codes: string[] = [(await client.line()).slice(0, 3)]
    for (const command of commands) {
      client.send(`${command}\r\n`)
      let line = await client.line()
      while (line.startsWith('214')) line = await client.line()
      codes.push(line.slice(0, 3))
    }
    await client.end()
    return codes.join(' ')
  }

  test.each([
    ['a whole page', 'PAGE 1|MESS x|SEND|QUIT', '220 250 250 250 221'],
    ['any case, four letters or more', 'pager 1|MeSsAgE x|send', '220 250 250 250'],
    ['what is incomplete', 'SEND|PAGE 1|SEND|MESS x|SEND|SEND', '220 503 250 503 250 250 503'],
    ['a second message', 'MESS x|MESS y|DATA', '220 250 503 503'],
    ['what is empty', 'PAGE|MESS|LEVEL|SUBJ', '220 550 550 550 550'],
    ['RESET forgets', 'PAGE 1|MESS x|RESET|SEND', '220 250 250 250 503'],
    ['HELP, and what we do not know', 'HELP|2WAY|EHLO me', '220 250 500 500'],
    ['a login where none is wanted', 'LOGIN anyone|PAGE 1', '220 250 250'],
    [
      'too many pagers',
      [...Array(17).keys()].map((id) => `PAGE ${id}`).join('|'),
      `220${' 250'.repeat(16)} 552`,
    ],
    ['ten mistakes', Array(10).fill('SEND').join('|'), `220${' 503'.repeat(9)} 421`],
  ])('%s', async (_what, commands, codes) => {
    const { port } = await open()
    expect(await dialogue(port, ...commands.split('|'))).toBe(codes)
  })

  test('commands that come all at once are answered one by one, in order', async () => {
    const { port, presses } = await open()
    const client = await Dial.to(port)
    client.send('PAGE 1\r\nMESS PULL CORD A\r\nSEND\r\nPAGE 1\nDATA\nPULL CORD B\n.\nSEND\nQUIT\n')
    await client.closed
    expect(client.unread.toString().match(/^\d+/gm)).toEqual('220 250 250 250 250 354 250 250 221'.split(' '))
    expect(presses).toHaveLength(2)
  })

  test('no answer depends on what the page says', async () => {
    const { sender } = await open()
    const texts = ['Code Gray room ED 2 badge 17', 'PULL CORD', 'WHAT IS THIS']
    const returned = await Promise.all(texts.map((text) => sender().page({ pagers: ['1'], text })))
    expect(new Set(returned.map((each) => JSON.stringify(each))).size).toBe(1)
  })
})

describe('who may page', () => {
  test('an account with its password; nobody else, and the password is nowhere', async () => {
    process.env['SNPP_TEST_PASSWORD'] = 'correct-horse'
    const logins = { rtls: { password: { env: 'SNPP_TEST_PASSWORD' } }, plain: {} }
    const { sender, presses, lines, probe } = await open({ logins })
    const send = (login?: { id: string; password?: string }) =>
      sender(login && { login }).page({ pagers: ['1'], text: 'PULL CORD' })
    expect((await send()).code).toBe(530)
    expect((await send({ id: 'rtls', password: 'guessed' })).code).toBe(550)
    expect((await send({ id: 'toString' })).code).toBe(550)
    expect(presses).toEqual([])
    expect((await send({ id: 'rtls', password: 'correct-horse' })).code).toBe(250)
    expect((await send({ id: 'plain' })).code).toBe(250)
    expect((await probe()).refused).toEqual({ 'a page without LOGIN': 1, 'a wrong LOGIN': 2 })
    expect(presses[0]?.raw).toMatchObject({ sender: 'rtls' })
    expect(JSON.stringify([presses, lines])).not.toContain('correct-horse')
  })

  test('only who is named in `from`; this machine always may', async () => {
    const { sender } = await open({ from: ['127.0.0.3', '10.0.4.0/24', 'fd00::/8'] })
    const from = async (localAddress: string) =>
      (await sender({ localAddress, withinMs: 2_000 }).page({ pagers: ['1'], text: 'PULL CORD' })).code
    expect(await from('127.0.0.1')).toBe(250)
    expect(await from('127.0.0.3')).toBe(250)
    expect(await from('127.0.0.2')).toBe(0)
  })
})

describe('the heartbeat', () => {
  test.each([
    ['plain', {}],
    ['with a login, and though others alone may connect', { logins: { own: {} }, from: ['10.0.0.0/8'] }],
  ])('comes in by our own listener: %s', async (_how, config) => {
    const { link, presses } = await open(config)
    await link.beat?.('mark-1', new AbortController().signal)
    expect(presses).toMatchObject([{ heartbeat: 'mark-1', device: null, from: 'heartbeat' }])
  })

  test('says what is wrong when it is not recorded', async () => {
    const { link } = await open({}, refusing('NOT_RECORDED'))
    await expect(link.beat?.('mark-1', new AbortController().signal)).rejects.toMatchObject({ code: 'BUSY' })
  })
})

describe('hostile callers', () => {
  const page = async (sender: ReturnType<typeof snppSender>, text: string) =>
    expect((await sender.page({ pagers: ['1'], text })).code).toBe(250)

  test.each([
    ['a line without end', 'x'.repeat(70_000)],
    ['a text without end', `DATA\r\n${`${'x'.repeat(1_000)}\r\n`.repeat(300)}`],
    ['no protocol', randomBytes(3_000)],
    ['empty lines', '\n'.repeat(50_000)],
  ])('%s ends the conversation and nothing else', async (_what, bytes) => {
    const { port, sender, presses } = await open()
    const client = await Dial.to(port)
    client.send(bytes)
    client.send('\r\n'.repeat(12))
    await client.closed
    await page(sender(), 'PULL CORD')
    expect(presses).toHaveLength(1)
  })

  test('an overlong message is read as far as it matters', async () => {
    const { sender, presses } = await open()
    await page(sender(), `PULL CORD ${'x'.repeat(20_000)}`)
    expect(presses[0]).toMatchObject({ kind: 'assist' })
  })

  test('who sends a byte now and then is sent away, by the last whole line', async () => {
    const clock = new SimulatedClock()
    const { port } = await open({ idle: '10s' }, { clock })
    const client = await Dial.to(port)
    expect(await client.line()).toMatch(/^220/)
    client.send('PAGE')
    for (let second = 0; second < 12; second++) {
      client.send('x')
      await clock.advance(1_000)
    }
    expect(await client.line()).toMatch(/^421/)
    await client.closed
  })

  test('holding all the connections keeps nobody out', async () => {
    const { port, sender, presses } = await open()
    for (let nth = 0; nth < 300; nth++) {
      const socket = connect({ port, host: '127.0.0.1' }).on('error', () => {})
      sockets.push(socket)
      await new Promise((resolve) => socket.once('connect', resolve))
    }
    await page(sender(), 'PULL CORD')
    expect(presses).toHaveLength(1)
  })

  test('any bytes in any pieces: no crash, and the next page is taken', async () => {
    const { port, sender } = await open()
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .constantFrom('PAGE 1\r\n', 'MESS x\r\n', 'DATA\r\n', '.\r\n', 'SEND\r\n', 'LOGIN \xff\r\n')
        .map((text) => Buffer.from(text, 'latin1')),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 8 }), async (pieces) => {
        const client = await Dial.to(port)
        for (const piece of pieces) client.send(Buffer.from(piece))
        await client.end()
      }),
      { numRuns: 100 },
    )
    await page(sender(), 'PULL CORD')
  })
})
