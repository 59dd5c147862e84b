import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { mailSender } from '../../mocks/mail-sender/index.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { snppSender } from '../../mocks/snpp-sender/index.ts'
import { wctpSender } from '../../mocks/wctp-sender/index.ts'
import { cleanUp, freePort, Program, until } from './program.ts'

/** Promises 1 and 5 for systems that send pages and mails over the network: on disk before they are answered, nobody forgotten. */
let pager: SnppPager
let program: Program
let ports: { wctp: number; snpp: number; smtp: number }

beforeEach(async () => {
  pager = await startSnppPager({ pagers: ['100'] })
  ports = { wctp: await freePort(), snpp: await freePort(), smtp: await freePort() }
  program = await new Program(site(), { env: { WCTP_CODE: 'open' } }).start()
  await Promise.all(['by-wctp', 'by-snpp', 'by-smtp', 'pagers'].map((name) => program.link(name)))
})

afterEach(async () => {
  await cleanUp()
  await pager.close()
})

const reading = {
  patterns: [{ match: 'code gray (?<place>ed \\d+)', kind: 'duress' }],
  places: { 'ED 2': { place: 'house/ed/triage-2', precision: 'room' } },
}

const site = () => ({
  site: { name: 'Closed', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: {
    house: { level: 'building', in: { ed: { level: 'unit', in: { 'triage-2': { level: 'room' } } } } },
  },
  connectors: {
    'by-wctp': {
      type: 'wctp',
      listen: `127.0.0.1:${ports.wctp}`,
      senders: { rtls: { code: { env: 'WCTP_CODE' } } },
      ...reading,
    },
    'by-snpp': { type: 'snpp-receiver', listen: `127.0.0.1:${ports.snpp}`, ...reading },
    'by-smtp': { type: 'smtp', listen: `127.0.0.1:${ports.smtp}`, from: ['127.0.0.1'], ...reading },
    pagers: { type: 'snpp', host: '127.0.0.1', port: pager.port },
  },
  responders: { security: { page: { connector: 'pagers', id: '100', perceptible: 'vibrate' } } },
  plans: { all: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: 'security' } }] }] } },
})

/** Sends one text and gives the code of the answer; told again, it is the very same message. */
const senders = {
  wctp: () => {
    const sender = wctpSender({
      url: `http://127.0.0.1:${ports.wctp}/wctp`,
      senderID: 'rtls',
      securityCode: 'open',
    })
    return { say: (text: string) => sender.submit({ to: '1', text }), again: () => sender.repeat(), yes: 200 }
  },
  snpp: () => {
    const sender = snppSender({ port: ports.snpp })
    return {
      say: (text: string) => sender.page({ pagers: ['1'], text }),
      again: () => sender.repeat(),
      yes: 250,
    }
  },
  smtp: () => {
    const sender = mailSender({ port: ports.smtp })
    return {
      say: (text: string) => sender.mail({ to: ['alarms@bridge.test'], subject: text }),
      again: () => sender.repeat(),
      yes: 250,
    }
  },
}

const incidents = async () => (await program.get('/v1/incidents')).body.incidents

describe.each(Object.entries(senders))('by %s', (_name, start) => {
  test('a text becomes a page to security that says where; one that nobody foresaw, in its own words', async () => {
    const { say, yes } = start()
    expect((await say('CODE GRAY ED 2')).code).toBe(yes)
    await pager.journal.expect('page', ({ id, text }) => id === '100' && /DURESS.*triage/i.test(text))
    expect((await say('SOMEBODY SHOUTS IN 31')).code).toBe(yes)
    await pager.journal.expect('page', ({ text }) => /SOMEBODY SHOUTS/i.test(text))
    expect(await incidents()).toHaveLength(2)
  })

  test('what was acknowledged survives kill -9; told again afterwards it is the same', async () => {
    const { say, again, yes } = start()
    expect((await say('CODE GRAY ED 2')).code).toBe(yes)
    await program.kill()
    await program.start()
    await Promise.all(['by-wctp', 'by-snpp', 'by-smtp'].map((name) => program.link(name)))
    const [incident] = await until('the incident', async () => {
      const all = await incidents()
      return all.length > 0 && all
    })
    expect(incident).toMatchObject({ kind: 'duress' })
    expect((await again()).code).toBe(yes)
    expect(await incidents()).toHaveLength(1)
  })
})
