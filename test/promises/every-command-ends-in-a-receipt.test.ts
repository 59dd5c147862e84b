import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ModbusPanel, startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { cleanUp, Program, run, until } from './program.ts'
import { Sink } from './sink.ts'

/** Promise 2. Each way to end, brought about on the wires, as the API and the trail tell it. */
let panel: ModbusPanel
let pager: SnppPager
let gone: SnppPager
let centre: Sink
let program: Program

beforeEach(async () => {
  panel = await startModbusPanel()
  pager = await startSnppPager({ pagers: ['5550100'] })
  gone = await startSnppPager({ pagers: ['5550101'] })
  centre = await Sink.start()
})

afterEach(async () => {
  await cleanUp()
  await Promise.all([panel, pager, gone, centre].map((each) => each.close()))
})

const site = () => ({
  site: { name: 'Receipts', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: { house: { level: 'building', in: { lobby: { level: 'zone' }, office: { level: 'room' } } } },
  connectors: {
    panel: { type: 'modbus', host: '127.0.0.1', port: panel.port },
    pagers: { type: 'snpp', host: '127.0.0.1', port: pager.port },
    'other-pagers': { type: 'snpp', host: '127.0.0.1', port: gone.port },
    centre: { type: 'http', url: centre.url, requests: { 'event.send': { path: '/events' } } },
    cameras: { type: 'onvif', username: 'bridge', password: { env: 'CAMERA_PASSWORD' } },
  },
  devices: {
    button: { connector: 'panel', input: { discrete: 0, counter: 16 }, place: 'house/lobby' },
    'quiet-button': {
      connector: 'panel',
      input: { discrete: 1, counter: 18 },
      place: 'house/lobby',
      silent: true,
      kind: 'assist',
    },
    lamp: { connector: 'panel', output: { coil: 3 }, place: 'house/lobby', perceptible: 'sound' },
    desk: { connector: 'centre', output: {}, perceptible: 'none', place: 'house/office' },
    // Nobody is at port 9.
    camera: {
      connector: 'cameras',
      output: { url: 'http://127.0.0.1:9/onvif/device_service' },
      sees: { 'house/lobby': { preset: '1' } },
    },
  },
  responders: {
    security: { page: { connector: 'pagers', id: '5550100', perceptible: 'vibrate' } },
    stranger: { page: { connector: 'pagers', id: '999', perceptible: 'vibrate' } },
    supervisor: { page: { connector: 'other-pagers', id: '5550101', perceptible: 'vibrate' } },
  },
  plans: {
    all: {
      when: {},
      steps: [
        {
          at: '0s',
          do: [
            { 'page.send': { to: ['security', 'stranger'] } },
            { 'camera.snapshot': { to: 'camera', expires: '1s' } },
            { 'event.send': { to: 'desk', expires: '2s' } },
            { 'relay.set': { to: 'lamp', on: true } },
          ],
        },
        { at: '1s', unless: 'acknowledged', do: [{ 'page.send': { to: 'supervisor' } }] },
      ],
    },
  },
})

const start = async () => {
  program = await new Program(site(), { env: { CAMERA_PASSWORD: 'secret' } }).start()
  await Promise.all([program.link('panel'), panel.polled(), program.link('pagers')])
}

/** What `trail incident` says of the end of a command. */
const told = async (number: number, capability: string, target: string): Promise<string> => {
  const { stdout } = await run('trail', 'incident', `${number}`, '--data', program.data)
  const line = stdout
    .split('\n')
    .find((one) => one.includes('receipt') && one.includes(`${capability} ${target}:`))
  return line ?? `no receipt of ${capability} ${target} in:\n${stdout}`
}

test('done, failed, expired and cancelled, with why, when, how often tried and what it may have done', async () => {
  await start()
  gone.behave({ is: 'refusing' })
  centre.status = 500
  const before = Date.now()
  await panel.press(0)
  const { id, number } = await until('the incident', () => program.incidentOf('button'))

  const done = await program.receipt(id, 'page.send', 'security')
  expect(done).toMatchObject({ end: 'done', why: '', proof: 'answered', effect: 'had', attempts: 1 })
  expect(done.result).toMatchObject({ text: expect.stringContaining('DURESS') })
  expect(done.at).toBeGreaterThanOrEqual(before)
  expect(done.at).toBeLessThanOrEqual(Date.now())
  await pager.journal.expect('page', (page) => page.id === '5550100')

  // A relay is read back.
  expect(await program.receipt(id, 'relay.set', 'lamp')).toMatchObject({
    end: 'done',
    proof: 'confirmed',
    attempts: 1,
  })
  expect(panel.coil(3)).toBe(true)

  // What can never get better is tried once.
  expect(await program.receipt(id, 'page.send', 'stranger')).toMatchObject({
    end: 'failed',
    why: expect.stringMatching(/^NOT_FOUND: .*999/),
    proof: null,
    effect: 'none',
    attempts: 1,
  })

  // Never sent, and sent in vain until its time was up: the second may have had an effect.
  const { openedAt } = (await program.incident(id)).incident
  const unsent = await program.receipt(id, 'camera.snapshot', 'camera')
  expect(unsent).toMatchObject({ end: 'expired', effect: 'none', attempts: 0, proof: null })
  expect(unsent.at).toBeGreaterThanOrEqual(openedAt + 1_000)
  const inVain = await program.receipt(id, 'event.send', 'desk')
  expect(inVain).toMatchObject({
    end: 'expired',
    why: expect.stringContaining('last attempt: REFUSED'),
    effect: 'possible',
  })
  expect(inVain.attempts).toBe(centre.all.length)
  expect(inVain.attempts).toBeGreaterThan(1)

  // Due, waiting for its pager, and then no longer wanted.
  await until('the escalation waits', async () =>
    (await program.incident(id)).commands.some(({ target, receipt }) => target === 'supervisor' && !receipt),
  )
  expect((await program.post(`/v1/incidents/${id}/acknowledge`, { by: 'Ada' })).status).toBe(200)
  expect(await program.receipt(id, 'page.send', 'supervisor')).toMatchObject({
    end: 'cancelled',
    why: expect.stringContaining('acknowledged'),
    effect: 'none',
  })
  gone.behave({ is: 'normal' })
  expect(gone.journal.count('page')).toBe(0)

  await program.settled(id)
  expect(await told(number, 'page.send', 'security')).toMatch(/\d ms .*: done/)
  expect(await told(number, 'page.send', 'stranger')).toMatch(/: failed.*NOT_FOUND/)
  expect(await told(number, 'camera.snapshot', 'camera')).toMatch(/: expired/)
  expect(await told(number, 'event.send', 'desk')).toMatch(/: expired.*REFUSED/)
  expect(await told(number, 'page.send', 'supervisor')).toMatch(/: cancelled.*acknowledged/)
})

test('suppressed: a lamp beside a silent press', async () => {
  await start()
  await panel.press(1)
  const { id, number } = await until('the incident', () => program.incidentOf('quiet-button'))
  expect(await program.receipt(id, 'relay.set', 'lamp')).toMatchObject({
    end: 'suppressed',
    why: expect.stringMatching(/^silent: lamp makes sound/),
    effect: 'none',
    attempts: 0,
  })
  expect(await told(number, 'relay.set', 'lamp')).toMatch(/: suppressed.*silent/)
  await program.receipt(id, 'page.send', 'security')
  panel.journal.verify()
  expect(panel.coil(3)).toBe(false)
})

test('a page whose answer never comes is tried again, says that it may be a repeat, and ends once', async () => {
  await start()
  pager.stopAt('SEND', 'drop')
  await panel.press(0)
  const { id, number } = await until('the incident', () => program.incidentOf('button'))
  expect(await program.receipt(id, 'page.send', 'security')).toMatchObject({ end: 'done', attempts: 2 })
  const first = await pager.journal.expect('page')
  const second = await pager.journal.expect('page')
  expect([first.detail['text'], second.detail['text']]).toEqual([
    expect.not.stringContaining('REPEAT?'),
    expect.stringContaining('REPEAT?'),
  ])
  const { timeline } = await program.incident(id)
  expect(timeline.filter(({ what, target }) => what === 'receipt' && target === 'security')).toHaveLength(1)
  expect(timeline).toContainEqual(expect.objectContaining({ what: 'retry', attempt: 1, effect: 'possible' }))
  expect(await told(number, 'page.send', 'security')).toMatch(/: done/)
})
