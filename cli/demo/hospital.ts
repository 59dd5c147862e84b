import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { BridgeError } from '../../core/error.ts'
import type { Kind } from '../../core/fact.ts'
import type { Site } from '../../core/site/site.ts'
import type { Received } from '../../mocks/mock.ts'
import type { CameraWires } from './cameras.ts'
import type { Wires } from './mocks.ts'
import { type Given, Mocks, type Request } from './thread.ts'

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
  /** The config, with the mocks' addresses. */
  readonly file: string
  /** Name and address of each mock. */
  readonly mocks: readonly (readonly [string, string])[]
  /** Hears what the mocks are asked to do. */
  listen(listener: (mock: string, received: Received) => void): void
  /** Presses the real input of a device: the contact of the panel, the badge system's call. Resolves when it is let go. */
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
  const badges = `127.0.0.1:${await freePort()}`
  const given: Given = {
    password: randomBytes(9).toString('base64url'),
    secret: randomBytes(24).toString('base64url'),
    webhook: `http://${badges}/badges`,
  }
  const [others, cameras] = await Promise.all([
    Mocks.start<Wires>(new URL('./mocks.ts', import.meta.url), given),
    Mocks.start<CameraWires>(new URL('./cameras.ts', import.meta.url), given),
  ])
  const { wires } = others
  const file = join(data, 'site.yaml')
  writeConfig(file, [
    [['api', 'listen'], `127.0.0.1:${apiPort}`],
    [['connectors', 'badges', 'listen'], badges],
    ...secretsOf(data, given),
    ...addressesOf(wires, cameras.wires),
  ])
  return {
    file,
    mocks: [
      ['Modbus panel', `127.0.0.1:${wires.panel}`],
      ['camera, ED (ONVIF)', cameras.wires.ed],
      ['camera, lobby (ONVIF)', cameras.wires.lobby],
      ['doors, ground floor (ONVIF)', wires.doors],
      ['door, level 3 (Axis VAPIX)', wires.level3],
      ['pagers (SNPP)', `127.0.0.1:${wires.pager}`],
      ['badge system (webhook)', `calls ${given.webhook}`],
    ],
    listen: (listener) => {
      others.listen(listener)
      cameras.listen(listener)
    },
    press: (site, pressing) => others.ask(requestFor(site, pressing)),
    close: async () => {
      await Promise.all([others.close(), cameras.close()])
    },
  }
}

type Value = readonly [path: string[], value: unknown]

/** Passwords lie in files of their own, as they should. */
const secretsOf = (data: string, { password, secret }: Given): Value[] => {
  mkdirSync(join(data, 'secrets'), { recursive: true, mode: 0o700 })
  const write = (name: string, value: string) => {
    const path = resolve(data, 'secrets', name)
    writeFileSync(path, `${value}\n`, { mode: 0o600 })
    return { file: path }
  }
  const ofDevices = write('devices', password)
  return [
    [['connectors', 'badges', 'hmac', 'secret'], write('badges', secret)],
    [['connectors', 'cameras', 'password'], ofDevices],
    [['connectors', 'doors', 'password'], ofDevices],
    [['connectors', 'level3-doors', 'auth', 'digest', 'password'], ofDevices],
  ]
}

const addressesOf = (wires: Wires, cameras: CameraWires): Value[] => [
  [['connectors', 'panel', 'port'], wires.panel],
  [['connectors', 'doors', 'url'], wires.doors],
  [['connectors', 'level3-doors', 'url'], wires.level3],
  [['connectors', 'pagers', 'port'], wires.pager],
  [['devices', 'cam-ed', 'output', 'url'], cameras.ed],
  [['devices', 'cam-lobby', 'output', 'url'], cameras.lobby],
]

/** The template with these values, comments and all. */
const writeConfig = (file: string, values: readonly Value[]): void => {
  const document = parseDocument(readFileSync(template, 'utf8'))
  for (const [path, value] of values) document.setIn(path, document.createNode(value, { flow: true }))
  writeFileSync(file, document.toString({ lineWidth: 0 }))
}

const requestFor = (site: Site, { device, kind, drill, holdMs }: Pressing): Request => {
  const input = (site.devices.get(device)?.input ?? {}) as { discrete?: number; id?: string }
  if (input.id !== undefined)
    return {
      do: 'call',
      payload: { id: input.id, area: areaOf(input.id), kind, drill: drill === true ? drill : undefined },
    }
  if (input.discrete === undefined) throw notPressable(site, device)
  if (kind !== undefined || drill)
    throw new BridgeError(
      'BAD_REQUEST',
      `${device} is a contact: what it means stands in the config. Press a badge, or use --url for --kind and --drill`,
    )
  return { do: 'contact', discrete: input.discrete, ...(holdMs === undefined ? {} : { forMs: holdMs }) }
}

/** Where the badges of the demo happen to be. */
const areaOf = (id: string): string => (id === '0117' ? 'gw-ed' : 'gw-301')

const notPressable = (site: Site, device: string): BridgeError => {
  const inputs = [...site.devices.values()].filter(({ input }) => input !== null).map(({ name }) => name)
  const what = site.devices.has(device) ? `${device} has no button` : `there is no device ${device}`
  return new BridgeError('UNKNOWN_DEVICE', `${what}: press one of ${inputs.join(', ')}`)
}
