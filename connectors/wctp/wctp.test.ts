import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Context } from '../../core/connector.ts'
import { BridgeError } from '../../core/error.ts'
import type { Press } from '../../core/fact.ts'
import { Dial } from '../../mocks/dial.ts'
import { type WctpSenderOptions, wctpSender } from '../../mocks/wctp-sender/index.ts'
import { testContext } from '../../test/context.ts'
import wctp from './index.ts'

const fixture = (name: string) =>
  fileURLToPath(new URL(`../webhook/fixtures/test-only-${name}.pem`, import.meta.url))
const tls = { cert: fixture('cert'), key: fixture('key') }
const code = 'correct-horse'
const links: { close(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.close()))
  delete process.env['WCTP_TEST_CODE']
})

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const open = async (config: object = {}, context: Partial<Context> = {}) => {
  process.env['WCTP_TEST_CODE'] = code
  const testing = testContext(context)
  const port = await freePort()
  const link = await wctp.open(
    {
      name: 'nurse-call',
      config: wctp.config.parse({
        listen: `127.0.0.1:${port}`,
        senders: { rtls: { code: { env: 'WCTP_TEST_CODE' } }, open: {} },
        patterns: [
          { match: '(?<kind>code \\w+) (?<place>\\w+ \\d+) badge (?<id>\\d+)' },
          { match: 'pull cord', kind: 'assist' },
        ],
        places: { 'ED 2': { place: 'north/ed/triage-2', precision: 'room' } },
        kinds: { 'CODE GRAY': 'duress' },
        ...config,
      }),
      inputs: new Map([
        ['anna', { id: '17' }],
        ['bath', { id: '5550103' }],
      ]),
      outputs: new Map<string, never>(),
      cursors: new Map(),
    },
    testing.ctx,
  )
  links.push(link)
  const url = `${'tls' in config ? 'https' : 'http'}://127.0.0.1:${port}/wctp`
  const sender = (options: Partial<WctpSenderOptions> = {}) =>
    wctpSender({ url, senderID: 'rtls', securityCode: code, ...options })
  const probe = () =>
    link.probe!(null, new AbortController().signal) as Promise<{ recorded: number; refused: object }>
  return { ...testing, link, port, sender, probe, presses: testing.facts as Press[] }
}

const gray = { to: '5550100', text: 'CODE GRAY ED 2 badge 17' }

describe('a message', () => {
  test('is confirmed when its press is on disk, not before', async () => {
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
      .submit(gray)
      .then((returned) => {
        answered = true
        return returned
      })
    await vi.waitFor(() => expect(offered).toBe(1))
    expect(answered).toBe(false)
    recordNow()
    expect(await sent).toMatchObject({ status: 200, code: 200 })
  })

  test('says who, where and what; choices are kept', async () => {
    const { sender, presses } = await open()
    await sender().submit({ ...gray, choices: ['Accept', 'Busy'], messageID: '7' })
    expect(presses).toMatchObject([
      {
        device: 'anna',
        kind: 'duress',
        sighting: { place: 'north/ed/triage-2', precision: 'room' },
        raw: {
          sender: 'rtls',
          to: '5550100',
          wire: { choices: ['Accept', 'Busy'], control: { messageID: '7' } },
        },
      },
    ])
  })

  test.each(['utf-8', 'utf-8-bom', 'utf-16le', 'utf-16be', 'iso-8859-1'] as const)(
    'in %s says the same',
    async (encoding) => {
      const { sender, presses } = await open()
      expect((await sender().submit({ to: '1', text: 'Zimmer <für> "Ärzte" & alle', encoding })).code).toBe(
        200,
      )
      expect(presses).toMatchObject([{ kind: 'unknown', from: 'Zimmer <für> "Ärzte" & alle' }])
    },
  )

  test('that no pattern fits opens an incident in its own words', async () => {
    const { sender, presses } = await open()
    expect((await sender().submit({ to: '1', text: 'WHAT IS THIS' })).code).toBe(200)
    expect(presses).toMatchObject([{ device: null, kind: 'unknown', from: 'WHAT IS THIS' }])
  })

  test('to several is one press; where the recipient is the device, it is that one', async () => {
    const { sender, presses } = await open()
    await sender().submit({ ...gray, to: ['1', '2'] })
    expect(presses).toHaveLength(1)
    await sender().submit({ to: '5550103', text: 'PULL CORD' })
    expect(presses[1]).toMatchObject({ device: 'bath', kind: 'assist' })
  })

  test('without recipient or text still counts', async () => {
    const { sender, presses } = await open()
    expect((await sender().submit({ to: [], text: 'HELP' })).code).toBe(200)
    expect((await sender().submit({ to: '9', text: '' })).code).toBe(200)
    expect(presses.map(({ from }) => from)).toEqual(['HELP', 'page without text to 9'])
  })

  test('that comes again under its messageID is the same press, however much later; so is the same text for a while', async () => {
    const { sender, presses, ctx } = await open({ repeat: '10s' })
    const now = ctx.clock.now.bind(ctx.clock)
    const one = sender()
    await one.submit({ ...gray, messageID: '1' })
    await sender().submit({ ...gray, messageID: '2' })
    expect(presses).toHaveLength(1)
    ctx.clock.now = () => now() + 3_600_000
    expect((await one.repeat()).code).toBe(200)
    expect(presses).toHaveLength(1)
    await sender().submit({ ...gray, messageID: '3' })
    expect(presses).toHaveLength(2)
  })

  test('under a number that began anew is another press', async () => {
    const { sender, presses, ctx } = await open({ repeat: '10s' })
    const now = ctx.clock.now.bind(ctx.clock)
    await sender().submit({ ...gray, messageID: '1', submitted: new Date(0) })
    ctx.clock.now = () => now() + 60_000
    await sender().submit({ ...gray, messageID: '1', submitted: new Date(60_000) })
    expect(presses).toHaveLength(2)
  })

  test.each([
    ['NOT_RECORDED', 606],
    ['TOO_BUSY', 606],
    ['a mistake', 604],
  ] as const)('%s is failure %i, and taken when it comes again', async (what, failure) => {
    const keys: string[] = []
    const { sender } = await open(
      {},
      {
        record: async ({ key }) => {
          keys.push(key)
          if (keys.length === 1) throw what === 'a mistake' ? new TypeError('x') : new BridgeError(what, 'no')
          return { duplicate: false, id: 'x', incident: null }
        },
      },
    )
    const one = sender()
    expect(await one.submit(gray)).toMatchObject({ status: 200, code: failure })
    expect((await one.repeat()).code).toBe(200)
    expect(new Set(keys).size).toBe(1)
  })

  test('no answer depends on what it says', async () => {
    const { sender } = await open()
    const returned = await Promise.all([gray, { to: '1', text: 'what' }].map((each) => sender().submit(each)))
    expect(new Set(returned.map(({ body }) => body)).size).toBe(1)
  })
})

describe('who may send', () => {
  test('a sender by its code: 401 and 402 else; the code is nowhere', async () => {
    const { sender, presses, probe, lines } = await open()
    expect((await sender({ senderID: 'stranger' }).submit(gray)).code).toBe(401)
    expect((await sender({ senderID: 'toString' }).submit(gray)).code).toBe(401)
    expect((await sender({ securityCode: `${code}!` }).submit(gray)).code).toBe(402)
    expect((await sender({ securityCode: '' }).submit(gray)).code).toBe(402)
    expect(presses).toEqual([])
    expect((await probe()).refused).toEqual({ 'failure 401': 2, 'failure 402': 2 })
    expect(JSON.stringify([lines, await probe()])).not.toContain(code)
  })

  test('a transient client, where its senderID alone is enough', async () => {
    const { sender, presses } = await open()
    const returned = await sender({ senderID: 'open' }).submit({ ...gray, as: 'client' })
    expect(returned.body).toMatch(/<wctp-SubmitClientResponse><wctp-ClientSuccess successCode="200"/)
    expect((await sender().submit({ ...gray, as: 'client' })).code).toBe(402)
    expect(presses).toHaveLength(1)
  })

  test('by HTTPS', async () => {
    const { sender, presses } = await open({ tls })
    expect((await sender().submit(gray)).code).toBe(200)
    expect(presses).toHaveLength(1)
  })
})

describe('other operations', () => {
  test('the version is told; a question that is not for a gateway like us is failure 300', async () => {
    const { sender } = await open()
    const ask = (xml: string) => sender().post(Buffer.from(xml))
    const version = await ask(
      '<wctp-Operation><wctp-VersionQuery inquirer="rtls" dateTime="2026-11-21T19:40:00"/></wctp-Operation>',
    )
    expect(version.body).toContain(
      'inquirer="rtls" responder="duress-bridge" dateTimeOfReq="2026-11-21T19:40:00"',
    )
    const query = await ask(
      '<wctp-Operation><wctp-ClientQuery senderID="a" recipientID="b" trackingNumber="c"/></wctp-Operation>',
    )
    expect(query).toMatchObject({ status: 200, code: 300 })
  })

  test('another path, another method, too much', async () => {
    const { sender, presses } = await open()
    expect((await sender().post(Buffer.from('x'), { path: '/other' })).status).toBe(404)
    expect((await sender().post(Buffer.from(''), { method: 'GET' })).status).toBe(405)
    expect((await sender().submit({ to: '1', text: 'x'.repeat(70_000) })).status).toBe(413)
    expect((await sender().submit(gray)).code).toBe(200)
    expect(presses).toHaveLength(1)
  })
})

describe('the heartbeat', () => {
  test.each([
    ['HTTP', {}],
    ['HTTPS', { tls }],
  ])('comes in by our own listener: %s', async (_how, config) => {
    let heard = 0
    const { link, presses, sender } = await open(config, { heard: () => void heard++ })
    await link.beat?.('mark-1', new AbortController().signal)
    expect(presses).toMatchObject([{ heartbeat: 'mark-1', device: null, from: 'heartbeat' }])
    expect(heard).toBe(0)
    await sender().submit(gray)
    expect(heard).toBe(1)
  })

  test('says what is wrong when it is not recorded', async () => {
    const { link } = await open(
      {},
      {
        record: async () => {
          throw new BridgeError('NOT_RECORDED', 'the disk is full')
        },
      },
    )
    await expect(link.beat?.('mark-1', new AbortController().signal)).rejects.toThrow('606')
  })
})

describe('hostile callers', () => {
  const head = (length: number) =>
    `POST /wctp HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: ${length}\r\n\r\n`

  test.each([
    ['half a request, and then the end', `${head(900)}<wctp-Operation>`],
    ['no protocol', Buffer.from(Array.from({ length: 2_000 }, (_, nth) => (nth * 7919) % 256))],
    ['headers without end', `POST /wctp HTTP/1.1\r\n${'x: y\r\n'.repeat(20_000)}`],
    ['giant XML', `${head(50_000_000)}${'<a>'.repeat(200_000)}`],
  ])('%s harms nobody else', async (_what, bytes) => {
    const { port, sender, presses } = await open()
    const client = await Dial.to(port)
    client.send(bytes)
    expect((await sender().submit(gray)).code).toBe(200)
    await client.end()
    expect(presses).toHaveLength(1)
  })

  test('holding all the connections keeps nobody out', async () => {
    const { port, sender, presses } = await open()
    const held = await Promise.all(Array.from({ length: 300 }, () => Dial.to(port)))
    for (const each of held) each.send(head(900))
    expect((await sender().submit(gray)).code).toBe(200)
    expect(presses).toHaveLength(1)
    await Promise.all(held.map((each) => each.end()))
  })

  test('who sends a byte now and then is cut off when the time of a request is up', async () => {
    const { port } = await open()
    const client = await Dial.to(port)
    client.send(head(900))
    const drip = setInterval(() => client.send('x'), 500)
    await client.closed
    clearInterval(drip)
    expect(client.unread.toString()).toMatch(/^HTTP\/1.1 408/)
  }, 20_000)
})

describe('check', () => {
  const check = (config: object) =>
    wctp.check?.({
      name: 'nurse-call',
      config: wctp.config.parse(config),
      inputs: new Map(),
      outputs: new Map<string, never>(),
    })
  const senders = { rtls: { code: { env: 'X' } } }

  test('wants to know who sends', () => {
    expect(wctp.config.safeParse({}).success).toBe(false)
    expect(wctp.config.safeParse({ senders: {} }).success).toBe(false)
    expect(check({ senders })).toEqual([])
  })

  test.each([
    ['beyond this machine without TLS', { senders, listen: '0.0.0.0:80' }, ['config', 'listen'], true],
    ['no such port', { senders, listen: '127.0.0.1:99999' }, ['config', 'listen'], true],
    ['no code', { senders: { rtls: {} } }, ['config', 'senders', 'rtls'], false],
    [
      'no regular expression',
      { senders, patterns: [{ match: '(' }] },
      ['config', 'patterns', 0, 'match'],
      true,
    ],
  ])('%s is found before anything starts', (_what, config, path, fatal) => {
    expect(check(config)).toMatchObject([{ path, fatal }])
  })

  test('in so many words it may', () => {
    expect(check({ senders, listen: '0.0.0.0:80', 'plain-beyond-this-machine': true })).toEqual([])
    expect(check({ senders, listen: '0.0.0.0:443', tls })).toEqual([])
  })
})
