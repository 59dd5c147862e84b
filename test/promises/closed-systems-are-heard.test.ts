import { afterEach, beforeEach, expect, test } from 'vitest'
import { EspaStation } from '../../mocks/espa-station/index.ts'
import { type SerialCable, serialCable } from '../../mocks/pty.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { TapSender } from '../../mocks/tap-sender/index.ts'
import { cleanUp, freePort, Program, until } from './program.ts'

/** Promises 1 and 5 for systems that only send pages: what they send is on disk before they are answered, and nobody is forgotten. */
let pager: SnppPager
let cable: SerialCable
let tapPort: number
let program: Program

beforeEach(async () => {
  pager = await startSnppPager({ pagers: ['100'] })
  cable = await serialCable()
  tapPort = await freePort()
  program = await new Program(site()).start()
  await Promise.all([program.link('nurse-call'), program.link('old-wing'), program.link('pagers')])
})

afterEach(async () => {
  await cleanUp()
  await cable.unplug()
  await pager.close()
})

const site = () => ({
  site: { name: 'Closed', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: {
    house: { level: 'building', in: { ed: { level: 'unit', in: { 'triage-2': { level: 'room' } } } } },
  },
  connectors: {
    'nurse-call': {
      type: 'tap',
      listen: `127.0.0.1:${tapPort}`,
      patterns: [{ match: 'code gray (?<place>.+)$', kind: 'duress' }],
      places: { 'ED 2': { place: 'house/ed/triage-2', precision: 'room' } },
    },
    'old-wing': { type: 'espa444', line: { path: cable.ends[0] } },
    pagers: { type: 'snpp', host: '127.0.0.1', port: pager.port },
  },
  responders: { security: { page: { connector: 'pagers', id: '100', perceptible: 'vibrate' } } },
  plans: { all: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: 'security' } }] }] } },
})

const incidents = async () => (await program.get('/v1/incidents')).body.incidents

test('a page over TAP becomes a page to security that says where', async () => {
  const sender = await TapSender.dial(tapPort)
  await sender.logIn()
  expect(await sender.page('4711', 'CODE GRAY ED 2')).toBe('acknowledged')
  await sender.hangUp()
  await pager.journal.expect('page', ({ id, text }) => id === '100' && /DURESS.*triage/i.test(text))
  expect(await incidents()).toMatchObject([{ kind: 'duress' }])
})

test('a call over a serial line that nobody foresaw opens an incident, in its own words', async () => {
  const station = EspaStation.wired(cable.ends[1])
  expect(await station.poll()).toBe(true)
  expect(await station.call({ to: '31', text: 'SOMEBODY SHOUTS IN 31' })).toBe('acknowledged')
  await station.hangUp()
  await pager.journal.expect('page', ({ text }) => /SOMEBODY SHOUTS/i.test(text))
  expect(await incidents()).toMatchObject([{ kind: 'unknown' }])
})

test('what was acknowledged survives kill -9; told again afterwards it is the same', async () => {
  const page = async () => {
    const sender = await TapSender.dial(tapPort)
    await sender.logIn()
    const answer = await sender.page('4711', 'CODE GRAY ED 2')
    await sender.hangUp()
    return answer
  }
  expect(await page()).toBe('acknowledged')
  await program.kill()
  await program.start()
  await program.link('nurse-call')
  const [incident] = await until('the incident', async () => {
    const all = await incidents()
    return all.length > 0 && all
  })
  expect(incident).toMatchObject({ kind: 'duress' })
  expect(await page()).toBe('acknowledged')
  expect(await incidents()).toHaveLength(1)
})
