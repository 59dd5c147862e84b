import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { BridgeError } from '../../core/error.ts'
import type { Json, Kind } from '../../core/fact.ts'
import type { Site } from '../../core/site/site.ts'
import type { Received } from '../../mocks/mock.ts'
import { startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { startOnvifDoors } from '../../mocks/onvif-door/index.ts'
import { startRestDoors } from '../../mocks/rest-door/index.ts'
import { startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { webhookSender } from '../../mocks/webhook-sender/index.ts'

const template = new URL('../../config/demo/site.yaml', import.meta.url)

/** How a device of the demo is pressed. */
export interface Pressing {
  readonly device: string
  readonly kind?: Kind | undefined
  readonly drill?: boolean | undefined
  /** How long the button is held, ms. */
  readonly holdMs?: number | undefined
}

/** The mock devices of the demo, and the config that leads to them. */
export interface Hospital {
  /** The config, with the mocks' ports. */
  readonly file: string
  /** Name and address of each mock. */
  readonly mocks: readonly (readonly [string, string])[]
  /** Hears what the mocks are asked to do. */
  listen(listener: (mock: string, received: Received) => void): void
  /** Presses the real input of a device: the contact of the panel, the badge system's call. */
  press(site: Site, pressing: Pressing): Promise<void>
  close(): Promise<void>
}

/** A port that is free now: a config must name it before anybody listens. */
const freePort = (wanted = 0): Promise<number> =>
  new Promise((done, fail) => {
    const server = createServer()
    server.once('error', fail)
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })

/** The port that was asked for, or another one where it is taken. */
export const portFor = (wanted: number): Promise<number> => freePort(wanted).catch(() => freePort())

/** Starts the mocks on free ports and writes the config that leads to them into `data`. */
export const startHospital = async (data: string, apiPort: number): Promise<Hospital> => {
  const password = randomBytes(9).toString('base64url')
  const account = { username: 'bridge', password }
  const secret = randomBytes(24).toString('base64url')
  const presets = (...names: string[]) =>
    Object.fromEntries(names.map((name, index) => [String(index + 1), name]))
  const panel = await startModbusPanel()
  const camera = await startOnvifCamera({ ...account, presets: presets('TRIAGE 1', 'TRIAGE 2', 'ED HALL') })
  const lobbyCamera = await startOnvifCamera({ ...account, presets: presets('LOBBY', 'PHARMACY') })
  const doors = await startOnvifDoors({
    ...account,
    doors: { 'ED-W': { schedule: 'Unlocked' }, LOBBY: { schedule: 'Unlocked' } },
  })
  const level3 = await startRestDoors({ ...account, doors: { L3: { schedule: 'Unlocked' } } })
  const pager = await startSnppPager({ pagers: ['5550100', '5550101'] })
  const badgePort = await freePort()
  const badges = webhookSender({
    url: `http://127.0.0.1:${badgePort}/badges`,
    hmac: { secret, style: 'github' },
  })

  const secretFile = (name: string, value: string) => {
    mkdirSync(join(data, 'secrets'), { recursive: true, mode: 0o700 })
    const path = resolve(data, 'secrets', name)
    writeFileSync(path, `${value}\n`, { mode: 0o600 })
    return { file: path }
  }
  const ofDevices = secretFile('devices', password)
  const file = join(data, 'site.yaml')
  writeConfig(file, [
    [['api', 'listen'], `127.0.0.1:${apiPort}`],
    [['connectors', 'panel', 'port'], panel.port],
    [['connectors', 'badges', 'listen'], `127.0.0.1:${badgePort}`],
    [['connectors', 'badges', 'hmac', 'secret'], secretFile('badges', secret)],
    [['connectors', 'cameras', 'password'], ofDevices],
    [['connectors', 'doors', 'url'], doors.url],
    [['connectors', 'doors', 'password'], ofDevices],
    [['connectors', 'level3-doors', 'url'], `http://${level3.host}:${level3.port}`],
    [['connectors', 'level3-doors', 'auth', 'digest', 'password'], ofDevices],
    [['connectors', 'pagers', 'port'], pager.port],
    [['devices', 'cam-ed', 'output', 'url'], camera.url],
    [['devices', 'cam-lobby', 'output', 'url'], lobbyCamera.url],
  ])

  const mocks = { panel, camera, lobbyCamera, doors, level3, pager }
  return {
    file,
    mocks: [
      ['Modbus panel', `127.0.0.1:${panel.port}`],
      ['camera, ED (ONVIF)', camera.url],
      ['camera, lobby (ONVIF)', lobbyCamera.url],
      ['doors, ground floor (ONVIF)', doors.url],
      ['door, level 3 (Axis VAPIX)', level3.vapix],
      ['pagers (SNPP)', `127.0.0.1:${pager.port}`],
      ['badge system (webhook)', `calls http://127.0.0.1:${badgePort}/badges`],
    ],
    listen: (listener) => {
      for (const [name, mock] of Object.entries(mocks))
        mock.journal.listen((received) => listener(name, received))
    },
    press: async (site, pressing) => {
      const device = site.devices.get(pressing.device)
      const input = (device?.input ?? {}) as { discrete?: number; id?: string }
      if (input.discrete !== undefined) return pressPanel(panel, input.discrete, pressing)
      if (input.id === undefined) throw notPressable(site, pressing.device)
      const { kind, drill } = pressing
      await callBadges(badges, { id: input.id, area: areaOf(input.id), kind, drill: drill || undefined })
    },
    close: async () => {
      await Promise.all(Object.values(mocks).map((mock) => mock.close()))
    },
  }
}

/** The template with these values, comments and all. */
const writeConfig = (file: string, values: readonly (readonly [string[], unknown])[]): void => {
  const document = parseDocument(readFileSync(template, 'utf8'))
  for (const [path, value] of values) document.setIn(path, document.createNode(value, { flow: true }))
  writeFileSync(file, document.toString({ lineWidth: 0 }))
}

const pressPanel = async (
  panel: Awaited<ReturnType<typeof startModbusPanel>>,
  discrete: number,
  { device, kind, drill, holdMs }: Pressing,
): Promise<void> => {
  if (kind !== undefined || drill)
    throw new BridgeError(
      'BAD_REQUEST',
      `${device} is a contact: what it means stands in the config. Press a badge, or use --url for --kind and --drill`,
    )
  await panel.press(discrete, holdMs === undefined ? {} : { forMs: holdMs })
}

/** Where the badges of the demo happen to be. */
const areaOf = (id: string): string => (id === '0117' ? 'gw-ed' : 'gw-301')

const callBadges = async (
  badges: ReturnType<typeof webhookSender>,
  call: { [name: string]: Json | undefined },
): Promise<void> => {
  const { status, body, error } = await badges.send(call, { key: randomUUID() })
  if (status < 200 || status > 299)
    throw new BridgeError('BAD_REQUEST', `the webhook answered ${error ?? `${status} ${body.slice(0, 200)}`}`)
}

const notPressable = (site: Site, device: string): BridgeError => {
  const inputs = [...site.devices.values()].filter(({ input }) => input !== null).map(({ name }) => name)
  const what = site.devices.has(device) ? `${device} has no button` : `there is no device ${device}`
  return new BridgeError('UNKNOWN_DEVICE', `${what}: press one of ${inputs.join(', ')}`)
}
