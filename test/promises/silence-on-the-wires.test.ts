import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ModbusPanel, startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { type OnvifCamera, startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { cleanUp, Program, until } from './program.ts'

/** Promise 5, silence on real wires: nothing perceptible near a silent press; what nobody expects fails the test. */
const login = { username: 'bridge', password: 'correct horse' }
let panel: ModbusPanel
let camera: OnvifCamera
let pager: SnppPager
let program: Program

beforeEach(async () => {
  panel = await startModbusPanel()
  camera = await startOnvifCamera({ ...login, presets: { '1': 'Room', '2': 'Hall' } })
  pager = await startSnppPager({ pagers: ['100', '200'] })
  program = await new Program(site(), { env: { CAMERA_PASSWORD: login.password } }).start()
  await Promise.all([program.link('panel'), program.link('cameras'), program.link('pagers'), panel.polled()])
})

afterEach(async () => {
  await cleanUp()
  await Promise.all([panel, camera, pager].map((each) => each.close()))
})

const site = () => ({
  site: { name: 'Silent', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: {
    house: {
      level: 'building',
      in: {
        room: { level: 'room', beside: ['hall'] },
        hall: { level: 'zone' },
        office: { level: 'room' },
        garage: { level: 'zone' },
      },
    },
  },
  connectors: {
    panel: { type: 'modbus', host: '127.0.0.1', port: panel.port },
    cameras: { type: 'onvif', username: login.username, password: { env: 'CAMERA_PASSWORD' } },
    pagers: { type: 'snpp', host: '127.0.0.1', port: pager.port },
  },
  devices: {
    button: { connector: 'panel', input: { discrete: 0, counter: 16 }, place: 'house/room' },
    'quiet-button': {
      connector: 'panel',
      input: { discrete: 1, counter: 18 },
      place: 'house/room',
      silent: true,
    },
    camera: {
      connector: 'cameras',
      output: { url: camera.url },
      place: 'house/room',
      sees: { 'house/room': { preset: '1' } },
    },
    strobe: { connector: 'cameras', output: { url: camera.url, relay: 'RO_0' }, place: 'house/hall' },
    lamp: { connector: 'panel', output: { coil: 3 }, place: 'house/room', perceptible: 'sound' },
    siren: { connector: 'panel', output: { coil: 4 }, perceptible: 'sound' },
    'garage-light': { connector: 'panel', output: { coil: 5 }, place: 'house/garage', perceptible: 'sound' },
  },
  responders: {
    // A console that beeps beside the aggressor, and a pager elsewhere.
    station: { page: { connector: 'pagers', id: '100', place: 'house/hall' } },
    security: { page: { connector: 'pagers', id: '200', place: 'house/office', perceptible: 'vibrate' } },
  },
  plans: {
    all: {
      when: {},
      steps: [
        {
          at: '0s',
          do: [
            { 'page.send': { to: ['station', 'security'] } },
            { 'camera.preset': { to: 'nearest' } },
            { 'camera.snapshot': { to: 'nearest' } },
            { 'relay.set': { to: ['garage-light'], on: true } },
          ],
        },
        { at: '2s', do: [{ 'relay.set': { to: ['strobe', 'lamp', 'siren'], on: true } }] },
      ],
    },
  },
})

/** The ends of all commands, by what they do to what. */
const endsOf = async (id: string) => {
  await until('the second step', async () =>
    (await program.incident(id)).commands.some(({ target }) => target === 'siren'),
  )
  const commands = await program.settled(id)
  return Object.fromEntries(
    commands.map(({ capability, target, receipt }) => [`${capability} ${target}`, receipt?.end]),
  )
}

const stepTwo = ['relay.set strobe', 'relay.set lamp', 'relay.set siren']

test('a silent press moves, sounds and lights nothing near, and still calls people and takes the picture', async () => {
  await panel.press(1)
  const { id } = await until('the incident', () => program.incidentOf('quiet-button'))
  const ends = await endsOf(id)
  expect(ends).toEqual({
    'page.send station': 'suppressed',
    'page.send security': 'done',
    'camera.preset camera': 'suppressed',
    'camera.snapshot camera': 'done',
    'relay.set garage-light': 'done',
    ...Object.fromEntries(stepTwo.map((one) => [one, 'suppressed'])),
  })
  await pager.journal.expect('page', (page) => page.id === '200' && /SILENT/.test(page.text))
  await camera.journal.expect('snapshot')
  await panel.journal.expect('write coil', ({ address, value }) => address === 5 && value === true)
  for (const mock of [panel, camera, pager]) mock.journal.verify()
  expect(camera.preset).toBeNull()
  expect(camera.relay('RO_0')).toBe(false)
  expect([panel.coil(3), panel.coil(4)]).toEqual([false, false])
})

test('silence is sticky: a silent press that joins a loud incident stops what was still to come', async () => {
  await panel.press(0)
  const { id } = await until('the incident', () => program.incidentOf('button'))
  await camera.journal.expect('GotoPreset')
  await panel.press(1)
  await until('it is silent', async () => (await program.incident(id)).incident.silent)
  const ends = await endsOf(id)
  for (const one of stepTwo) expect(ends[one]).toBe('suppressed')
  expect(camera.relay('RO_0')).toBe(false)
  expect(camera.journal.count('SetRelayOutputState')).toBe(0)
  expect(new Set(panel.journal.all.map(({ detail }) => detail['address']))).toEqual(new Set([5]))
})

test('a loud press does all of it', async () => {
  await panel.press(0)
  const { id } = await until('the incident', () => program.incidentOf('button'))
  expect(new Set(Object.values(await endsOf(id)))).toEqual(new Set(['done']))
  expect(camera.relay('RO_0')).toBe(true)
  expect([panel.coil(3), panel.coil(4)]).toEqual([true, true])
})
