import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import type { Site } from '../../core/site/site.ts'
import type { Received } from '../../mocks/mock.ts'
import type { CameraWires } from './cameras.ts'
import type { Wires } from './mocks.ts'
import { type Pressing, requestFor } from './pressing.ts'
import { type Given, Mocks } from './thread.ts'

const template = new URL('../../config/demo/site.yaml', import.meta.url)
/** The list that it names; the copy lies beside the copy of the config. */
const badgeList = 'badges.csv'

/** The mock devices of the demo, and the config that leads to them. */
export interface Hospital {
  /** The config, with the mocks' addresses. */
  readonly file: string
  /** Name and address of each mock. */
  readonly mocks: readonly (readonly [string, string])[]
  /** Hears what the mocks are asked to do. */
  listen(listener: (mock: string, received: Received) => void): void
  /** Presses the real input of a device: the panel's contact, the badge system's call, the keypad's report. Resolves when it is let go. */
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
  const [badges, keypads, nurseCall] = await Promise.all([freePort(), freePort(), freePort()])
  const given: Given = {
    password: newSecret(),
    secret: newSecret(),
    webhook: `http://127.0.0.1:${badges}/badges`,
    keypads: { port: keypads, key: randomBytes(16).toString('hex') },
    nurseCall: { url: `http://127.0.0.1:${nurseCall}/wctp`, code: newSecret() },
    phone: { url: `http://127.0.0.1:${apiPort}/v1/presses`, token: newSecret() },
  }
  const [others, cameras] = await Promise.all([
    Mocks.start<Wires>(new URL('./mocks.ts', import.meta.url), given),
    Mocks.start<CameraWires>(new URL('./cameras.ts', import.meta.url), given),
  ])
  const { wires } = others
  const file = join(data, 'site.yaml')
  copyFileSync(new URL(badgeList, template), join(data, badgeList))
  writeConfig(file, [
    [['api', 'listen'], `127.0.0.1:${apiPort}`],
    [['connectors', 'badges', 'listen'], `127.0.0.1:${badges}`],
    [['connectors', 'keypads', 'listen'], `127.0.0.1:${keypads}`],
    [['connectors', 'nurse-call', 'listen'], `127.0.0.1:${nurseCall}`],
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
      ['alarm panel (SIA DC-09)', `calls 127.0.0.1:${keypads}`],
      ['nurse call (WCTP)', `calls ${given.nurseCall.url}`],
      ['phone (HTTP API)', `its token: ${join(data, 'secrets', 'phone')}`],
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

const newSecret = (): string => randomBytes(18).toString('base64url')

type Value = readonly [path: string[], value: unknown]

/** Passwords lie in files of their own, as they should. */
const secretsOf = (data: string, { password, secret, keypads, nurseCall, phone }: Given): Value[] => {
  mkdirSync(join(data, 'secrets'), { recursive: true, mode: 0o700 })
  const write = (name: string, value: string) => {
    const path = resolve(data, 'secrets', name)
    writeFileSync(path, `${value}\n`, { mode: 0o600 })
    return { file: path }
  }
  const ofDevices = write('devices', password)
  return [
    [['connectors', 'badges', 'hmac', 'secret'], write('badges', secret)],
    [['connectors', 'keypads', 'accounts', '0809', 'key'], write('keypad', keypads.key)],
    [['connectors', 'nurse-call', 'senders', 'nurse-call', 'code'], write('nurse-call', nurseCall.code)],
    [['devices', 'home-care-phone', 'token'], write('phone', phone.token)],
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
