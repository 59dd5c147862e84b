import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ModbusPanel, startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { type OnvifCamera, startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { type RestDoors, startRestDoors } from '../../mocks/rest-door/index.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { webhookSender } from '../../mocks/webhook-sender/index.ts'
import { cleanUp, freePort, Program, passed, until } from './program.ts'

/** Promise 3. One hangs, refuses or goes mad; all others are served before it is itself again. */
const login = { username: 'bridge', password: 'correct horse' }
const token = 'only for this test'
const slowSenders = 100

let panel: ModbusPanel
let camera: OnvifCamera
let strangeCamera: OnvifCamera
let doors: RestDoors<'LOBBY'>
let pager: SnppPager
let strangePager: SnppPager
let port: number
let program: Program

beforeEach(async () => {
  panel = await startModbusPanel({ units: [1, 2] })
  camera = await startOnvifCamera({ ...login, presets: { '1': 'Lobby' } })
  strangeCamera = await startOnvifCamera({ ...login, presets: { '1': 'Lobby' } })
  doors = await startRestDoors({ ...login, doors: { LOBBY: { schedule: 'Unlocked' } } })
  pager = await startSnppPager({ pagers: ['1'] })
  strangePager = await startSnppPager({ pagers: ['2'] })
  port = await freePort()
  program = await new Program(site(), {
    env: { DEVICE_PASSWORD: login.password, BADGES_TOKEN: token },
  }).start()
  for (const link of ['panel', 'cameras', 'doors', 'pagers', 'strange-pagers', 'badges'])
    await program.link(link)
})

afterEach(async () => {
  await cleanUp()
  await Promise.all([panel, camera, strangeCamera, doors, pager, strangePager].map((each) => each.close()))
})

const password = { env: 'DEVICE_PASSWORD' }
const buttons = 8

const site = () => ({
  site: { name: 'Strangers', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: { house: { level: 'building', in: { lobby: { level: 'unit' } } } },
  connectors: {
    panel: { type: 'modbus', host: '127.0.0.1', port: panel.port },
    badges: {
      type: 'webhook',
      listen: `127.0.0.1:${port}`,
      path: '/badges',
      bearer: { env: 'BADGES_TOKEN' },
    },
    cameras: { type: 'onvif', username: login.username, password },
    doors: {
      type: 'http',
      profile: 'axis-door',
      url: `http://127.0.0.1:${doors.port}`,
      auth: { digest: { username: login.username, password } },
    },
    pagers: { type: 'snpp', host: '127.0.0.1', port: pager.port },
    'strange-pagers': { type: 'snpp', host: '127.0.0.1', port: strangePager.port },
  },
  devices: {
    ...Object.fromEntries(
      Array.from({ length: buttons }, (_, n) => [
        `button-${n}`,
        { connector: 'panel', input: { discrete: n, counter: 16 + 2 * n }, place: 'house/lobby' },
      ]),
    ),
    'far-button': { connector: 'panel', input: { discrete: 0, counter: 16, unit: 2 }, place: 'house/lobby' },
    ...Object.fromEntries(
      Array.from({ length: buttons }, (_, n) => [
        `badge-${n}`,
        { connector: 'badges', input: { id: `${n}` } },
      ]),
    ),
    camera: { connector: 'cameras', output: { url: camera.url }, sees: { 'house/lobby': { preset: '1' } } },
    'strange-camera': {
      connector: 'cameras',
      output: { url: strangeCamera.url },
      sees: { 'house/lobby': { preset: '1' } },
    },
    door: {
      connector: 'doors',
      output: { values: { token: 'LOBBY' } },
      guards: ['house/lobby'],
      egress: 'free',
      fire: 'none',
    },
  },
  responders: {
    security: { page: { connector: 'pagers', id: '1', perceptible: 'vibrate' } },
    stranger: { page: { connector: 'strange-pagers', id: '2', perceptible: 'vibrate' } },
  },
  plans: {
    duress: {
      when: { kind: 'duress', place: 'house/lobby' },
      steps: [
        {
          at: '0s',
          do: [
            { 'page.send': { to: ['security', 'stranger'] } },
            { 'camera.snapshot': { to: 'nearest' } },
            { 'door.secure': { to: 'guarding', expires: '20s', limit: '15m' } },
          ],
        },
      ],
    },
    others: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: ['security', 'stranger'] } }] }] },
  },
})

const all = [
  'page.send security',
  'page.send stranger',
  'camera.snapshot camera',
  'camera.snapshot strange-camera',
  'door.secure door',
]

/** Waits until everything of an incident that does not go to the strangers has its receipt, and is done. */
const othersAreDone = async (id: string, ...strangers: readonly string[]) => {
  for (const name of all.filter((one) => !strangers.includes(one))) {
    const [capability, target] = name.split(' ') as [string, string]
    expect(await program.receipt(id, capability, target)).toMatchObject({ end: 'done' })
  }
}

/** Presses a button of the panel; the id of its incident. */
const pressButton = async (name: string, input: number, unit = 1): Promise<string> => {
  void panel.press(input, { unit })
  return (await until(`the incident of ${name}`, () => program.incidentOf(name))).id
}

const endOf = async (id: string, name: string): Promise<string | undefined> => {
  const { commands } = await program.incident(id)
  return commands.find(({ capability, target }) => `${capability} ${target}` === name)?.receipt?.end
}

test('a camera that takes requests and answers none', async () => {
  strangeCamera.behave({ is: 'half-open' })
  // While its link still seems to be up, and after it has been given up.
  const first = await pressButton('button-0', 0)
  await othersAreDone(first, 'camera.snapshot strange-camera')
  expect(await endOf(first, 'camera.snapshot strange-camera')).toBeUndefined()
  await program.link(`cameras ${strangeCamera.url}`, false)
  const second = await pressButton('button-1', 1)
  await othersAreDone(second, 'camera.snapshot strange-camera')
  expect(await endOf(second, 'camera.snapshot strange-camera')).toBeUndefined()
  expect((await program.links()).filter(({ up }) => !up)).toHaveLength(1)
  strangeCamera.behave({ is: 'normal' })
  for (const id of [first, second])
    expect(await program.receipt(id, 'camera.snapshot', 'strange-camera', 30_000)).toMatchObject({
      end: 'done',
    })
}, 90_000)

test('a pager that refuses for ten seconds; its pages arrive when it is back', async () => {
  strangePager.refuse(true)
  const refusedUntil = Date.now() + 10_000
  const ids: string[] = []
  for (let n = 0; n < 4; n++) {
    ids.push(await pressButton(`button-${n}`, n))
    await othersAreDone(ids[n] as string, 'page.send stranger')
    expect(await endOf(ids[n] as string, 'page.send stranger')).toBeUndefined()
  }
  await passed(refusedUntil)
  expect(strangePager.journal.count('page')).toBe(0)
  strangePager.refuse(false)
  for (const id of ids) {
    const receipt = await program.receipt(id, 'page.send', 'stranger', 30_000)
    expect(receipt).toMatchObject({ end: 'done', effect: 'had' })
  }
  expect(strangePager.journal.count('page')).toBe(ids.length)
}, 90_000)

test.each(['garbage', 'half-open', 'wrong-answer'] as const)('a door controller: %s', async (is) => {
  doors.behave({ is })
  const id = await pressButton('button-0', 0)
  await othersAreDone(id, 'door.secure door')
  expect(await endOf(id, 'door.secure door')).toBeUndefined()
  const badge = await webhookSender({ url: `http://127.0.0.1:${port}/badges`, bearer: token }).send({
    id: '0',
  })
  expect(badge.status).toBe(200)
  expect(doors.doors.LOBBY.mode).toBe('Unlocked')
  doors.behave({ is: 'normal' })
  await doors.doors.LOBBY.expect('Locked', { withinMs: 20_000 })
})

test('senders that never finish', async () => {
  const sockets = await Promise.all(Array.from({ length: slowSenders }, (_, n) => loris(n)))
  const drip = setInterval(() => {
    for (const socket of sockets) socket.write('x')
  }, 200)
  try {
    const sender = webhookSender({ url: `http://127.0.0.1:${port}/badges`, bearer: token })
    for (let n = 0; n < buttons; n++) {
      const { status, body } = await sender.send({ id: `${n}` })
      expect(status).toBe(200)
      const id = JSON.parse(body).incident
      expect(await program.receipt(id, 'page.send', 'security')).toMatchObject({ end: 'done' })
    }
    await othersAreDone(await pressButton('button-0', 0))
    expect(sockets.filter(({ closed }) => !closed)).toHaveLength(slowSenders)
  } finally {
    clearInterval(drip)
    for (const socket of sockets) socket.destroy()
  }
})

/** Half of them never end their headers, half never end their body. */
const loris = (n: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`POST /badges HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n`)
      socket.write(n % 2 === 0 ? 'X-Slow: ' : 'Content-Length: 60000\r\n\r\n{')
      resolve(socket)
    })
    socket.on('error', reject)
  })

test.each(['parallel', 'per-socket'] as const)(
  'a dead unit behind a gateway whose bus is %s',
  async (bus) => {
    await panel.close()
    const { port: same } = panel
    panel = await startModbusPanel({ port: same, units: [1, 2], bus })
    await panel.polled(1, 2)
    panel.kill(2)
    await program.link('panel unit-2', false)
    // Pressed while nobody can read it: its module counts.
    await panel.press(0, { unit: 2 })
    for (let n = 0; n < 3; n++) await othersAreDone(await pressButton(`button-${n}`, n))
    expect(await program.incidentOf('far-button')).toBeUndefined()
    panel.heal(2)
    const { id } = await until('what its module has counted', () => program.incidentOf('far-button'))
    await othersAreDone(id)
  },
  90_000,
)

test('all of them at once', async () => {
  strangeCamera.behave({ is: 'half-open' })
  strangePager.behave({ is: 'half-open' })
  doors.behave({ is: 'garbage' })
  panel.kill(2)
  const sockets = await Promise.all(Array.from({ length: slowSenders }, (_, n) => loris(n)))
  const strangers = ['camera.snapshot strange-camera', 'page.send stranger', 'door.secure door']
  for (let n = 0; n < buttons; n++) {
    const id = await pressButton(`button-${n}`, n)
    await othersAreDone(id, ...strangers)
    for (const name of strangers) expect(await endOf(id, name)).not.toBe('done')
  }
  for (const socket of sockets) socket.destroy()
}, 90_000)
