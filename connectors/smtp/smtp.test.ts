import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createTransport } from 'nodemailer'
import { describe, expect, test, vi } from 'vitest'
import { BridgeError } from '../../core/error.ts'
import { gray, open, tls } from './fixtures/open.ts'

describe('a mail', () => {
  test('is answered 250 when its press is on disk, not before', async () => {
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
      .mail(gray)
      .then((returned) => {
        answered = true
        return returned
      })
    await vi.waitFor(() => expect(offered).toBe(1))
    expect(answered).toBe(false)
    recordNow()
    expect((await sent).replies.at(-1)).toBe('. 250')
  })

  test('says who, where and what, and from whom', async () => {
    const { sender, presses } = await open()
    await sender().mail({ ...gray, messageId: '<17@rtls>' })
    expect(presses).toMatchObject([
      {
        device: 'anna',
        kind: 'duress',
        sighting: { place: 'north/ed/triage-2', precision: 'room' },
        raw: {
          sender: 'rtls@alarms.test',
          to: 'alarms@bridge.test',
          wire: { mail: { subject: 'Code Gray' } },
        },
      },
    ])
  })

  test('that no pattern fits opens an incident in its own words', async () => {
    const { sender, presses } = await open()
    expect((await sender().mail({ ...gray, subject: 'Hm', text: 'what' })).code).toBe(250)
    expect(presses).toMatchObject([{ device: null, kind: 'unknown', from: 'Hm what' }])
  })

  test.each(['quoted-printable', 'base64', '8bit'] as const)(
    'by %s, in both alphabets, says the same',
    async (encoding) => {
      const { sender, presses } = await open()
      for (const charset of ['utf-8', 'iso-8859-1'] as const)
        await sender().mail({
          ...gray,
          subject: 'Größe',
          text: `Zimmer für Ärzte = ${'x'.repeat(200)}`,
          encoding,
          charset,
        })
      expect(presses).toHaveLength(1)
      expect(presses[0]?.from).toContain('Größe Zimmer für Ärzte = xxx')
    },
  )

  test('as HTML alone, or with a picture larger than what is read, says the same', async () => {
    const { sender, presses } = await open()
    await sender().mail({
      to: gray.to,
      subject: 'Code Gray',
      html: '<p>ALARM <b>room ED&nbsp;2</b> badge 17</p>',
    })
    await sender().mail({ ...gray, text: `${gray.text} again`, picture: Buffer.alloc(600_000, 7) })
    expect(presses.map(({ device }) => device)).toEqual(['anna', 'anna'])
  })

  test('to several addresses is one press; where the address is the device, it is that one', async () => {
    const { sender, presses } = await open()
    await sender().mail({ ...gray, to: ['a@bridge.test', 'b@bridge.test'] })
    expect(presses).toHaveLength(1)
    await sender().mail({ to: ['Bath-3@bridge.test'], subject: 'PULL CORD' })
    expect(presses[1]).toMatchObject({ device: 'bath', kind: 'assist' })
  })

  test('that is delivered again is the same press, however much later', async () => {
    const { sender, facts, ctx } = await open({ repeat: '1s' })
    const now = ctx.clock.now.bind(ctx.clock)
    const one = sender()
    await one.mail(gray)
    ctx.clock.now = () => now() + 3_600_000
    expect((await one.repeat()).code).toBe(250)
    expect(facts).toHaveLength(1)
    await one.mail(gray)
    expect(facts).toHaveLength(2)
  })

  test('without a sender, or by a machine that replies, is taken and marked', async () => {
    const { sender, presses } = await open()
    await sender().mail({ ...gray, from: '', headers: { 'Auto-Submitted': 'auto-replied' } })
    expect(presses[0]?.raw).toMatchObject({ sender: '', wire: { mail: { automatic: 'auto-replied' } } })
  })

  test.each(['NOT_RECORDED', 'TOO_BUSY'] as const)(
    '%s is 451, and taken when it comes again',
    async (code) => {
      const keys: string[] = []
      const { sender } = await open(
        {},
        {
          record: async ({ key }) => {
            keys.push(key)
            if (keys.length === 1) throw new BridgeError(code, 'the disk is full')
            return { duplicate: false, id: 'x', incident: null }
          },
        },
      )
      const one = sender()
      expect((await one.mail(gray)).code).toBe(451)
      expect((await one.repeat()).code).toBe(250)
      expect(new Set(keys).size).toBe(1)
    },
  )

  test('no answer depends on what it says', async () => {
    const { sender } = await open()
    const mails = [gray, { ...gray, subject: 'Hm', text: 'what' }, { ...gray, from: '' }]
    const returned = await Promise.all(mails.map((mail) => sender().mail(mail)))
    expect(new Set(returned.map(({ code, text }) => `${code} ${text}`)).size).toBe(1)
  })
})

describe('who may send', () => {
  test('only who is named in `from`; this machine always may', async () => {
    const { sender, presses, probe, lines } = await open({ from: ['127.0.0.3/32'] })
    expect((await sender({ localAddress: '127.0.0.3' }).mail(gray)).code).toBe(250)
    expect((await sender().mail({ ...gray, text: 'pull cord' })).code).toBe(250)
    for (let time = 0; time < 3; time++)
      expect((await sender({ localAddress: '127.0.0.2' }).mail(gray)).code).toBe(554)
    expect(presses).toHaveLength(2)
    expect((await probe()).refused).toEqual({ 'a caller that is not in `from`': 3 })
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })

  test('with `senders`, others are 550, counted and logged', async () => {
    const { sender, presses, probe } = await open({ senders: ['RTLS@alarms.test', '@nurse.test'] })
    for (const from of ['rtls@alarms.test', 'any@NURSE.test'])
      expect((await sender().mail({ ...gray, from, text: from })).code).toBe(250)
    for (const from of ['other@alarms.test', 'any@sub.nurse.test', ''])
      expect((await sender().mail({ ...gray, from })).code).toBe(550)
    expect(presses).toHaveLength(2)
    expect((await probe()).refused).toEqual({ 'a sender that is not in `senders`': 3 })
  })

  test('with logins nobody else; the password is nowhere', async () => {
    process.env['SMTP_TEST_PASSWORD'] = 'correct-horse'
    const { sender, presses, lines } = await open({
      logins: { rtls: { password: { env: 'SMTP_TEST_PASSWORD' } } },
    })
    const as = (user: string, password: string) => sender({ login: { user, password } }).mail(gray)
    expect((await sender().mail(gray)).code).toBe(530)
    expect((await as('rtls', 'guessed')).code).toBe(535)
    expect((await as('toString', '')).code).toBe(535)
    expect(presses).toEqual([])
    expect((await as('rtls', 'correct-horse')).code).toBe(250)
    expect(JSON.stringify([presses, lines])).not.toContain('correct-horse')
  })

  test.each(['starttls', 'implicit'] as const)('by TLS (%s), and a login not without it', async (mode) => {
    process.env['SMTP_TEST_PASSWORD'] = 'correct-horse'
    const { sender } = await open({
      tls: { ...tls, mode },
      logins: { rtls: { password: { env: 'SMTP_TEST_PASSWORD' } } },
    })
    const login = { user: 'rtls', password: 'correct-horse' }
    expect((await sender({ login, tls: mode }).mail(gray)).code).toBe(250)
    expect((await sender({ login, withinMs: 500 }).mail(gray)).code).not.toBe(250)
  })
})

describe('clients that are not ours', () => {
  test('nodemailer, with STARTTLS and a login', async () => {
    process.env['SMTP_TEST_PASSWORD'] = 'correct-horse'
    const { port, presses } = await open({
      tls,
      logins: { rtls: { password: { env: 'SMTP_TEST_PASSWORD' } } },
    })
    const transport = createTransport({
      host: '127.0.0.1',
      port,
      requireTLS: true,
      tls: { rejectUnauthorized: false },
      auth: { user: 'rtls', pass: 'correct-horse' },
    })
    const info = await transport.sendMail({
      from: 'RTLS <rtls@alarms.test>',
      to: 'alarms@bridge.test',
      subject: 'Code Gray – größer',
      text: 'ALARM room ED 2 badge 17',
      html: '<b>ALARM</b>',
    })
    transport.close()
    expect(info.response).toMatch(/^250/)
    expect(presses).toMatchObject([
      { device: 'anna', raw: { wire: { mail: { subject: 'Code Gray – größer' } } } },
    ])
  })

  test('Python', async () => {
    const { port, presses } = await open()
    const script = `
import smtplib
from email.message import EmailMessage
mail = EmailMessage()
mail['From'], mail['To'], mail['Subject'] = 'rtls@alarms.test', 'alarms@bridge.test', 'Code Gray'
mail.set_content('ALARM für room ED 2 badge 17')
with smtplib.SMTP('127.0.0.1', ${port}) as server: server.send_message(mail)
`
    await promisify(execFile)('python3', ['-c', script])
    expect(presses).toMatchObject([{ device: 'anna', kind: 'duress' }])
  })
})

describe('the heartbeat', () => {
  test.each([
    ['plain', {}],
    ['with STARTTLS', { tls }],
    [
      'with TLS, a login and a list of senders',
      {
        tls: { ...tls, mode: 'implicit' },
        senders: ['@nurse.test'],
        logins: { rtls: { password: { env: 'SMTP_TEST_PASSWORD' } } },
      },
    ],
  ])('comes in by our own listener: %s', async (_how, config) => {
    process.env['SMTP_TEST_PASSWORD'] = 'correct-horse'
    const { link, presses } = await open(config)
    await link.beat?.('mark-1', new AbortController().signal)
    expect(presses).toMatchObject([{ heartbeat: 'mark-1', device: null, from: 'heartbeat' }])
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
    await expect(link.beat?.('mark-1', new AbortController().signal)).rejects.toThrow('451')
  })

  test('is only what was announced', async () => {
    const { sender, presses } = await open()
    await sender().mail({ ...gray, subject: 'HEARTBEAT', text: 'mark-2' })
    expect(presses[0]).not.toHaveProperty('heartbeat')
  })
})
