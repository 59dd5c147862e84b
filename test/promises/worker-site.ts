import { expect, onTestFinished } from 'vitest'
import { type ModbusPanel, startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { type OnvifCamera, startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { type RestDoors, startRestDoors } from '../../mocks/rest-door/index.ts'
import { type RedisServer, startRedis } from '../redis/server.ts'
import { startWire, type Wire } from '../redis/wire.ts'
import { endAll, newDir, Program, until } from './program.ts'
import { Sink, type Taken } from './sink.ts'
import { keyFile, WorkerProgram } from './worker.ts'

/** Rooms, each with a button, a weapon button and a door of its own, so that no two incidents of a test are one. */
const rooms = Array.from({ length: 24 }, (_, index) => index + 1)
/** The one with a fire panel; its door is locked only while that says that nothing burns. */
export const fireRoom = 24
export const fireInput = 60
type DoorToken = `D${number}`

export const workerNames = ['edge-1', 'edge-2'] as const
type WorkerName = (typeof workerNames)[number]

/** What the targets let in. It is never said who knows it: only configs, environments and wires. */
export const doorPassword = 'correct horse battery'
export const cameraPassword = 'tr0ub4dor and three'

/** Grace of a parcel, what Redis may take to be asked, and what two processes on a busy machine take, ms. */
export const soonMs = 3_000

/** The supervisor is paged so long after a press unless somebody has acknowledged, ms. */
export const escalatesMs = 3_000

interface Options {
  readonly redis?: RedisServer
  /** The bridge has no password for doors and cameras that these would take. */
  readonly bridgeIsStranger?: true
  readonly workers?: readonly WorkerName[]
  /** More of the config's `queue`, and of the bridge's environment. */
  readonly queue?: object
  readonly env?: { readonly [name: string]: string }
}

export interface Pressed {
  readonly id: string
  /** Date.now() before it. */
  readonly at: number
}

/** A bridge, Redis behind two wires, workers and targets of the real kind; it must be closed. */
export class WorkerSite {
  readonly dir = newDir()
  readonly redis: RedisServer
  /** Between the bridge and Redis, and between the workers and Redis. */
  readonly wires: { readonly bridge: Wire; readonly workers: Wire }
  readonly centre: Sink
  readonly doors: RestDoors<DoorToken>
  readonly camera: OnvifCamera
  readonly panel: ModbusPanel
  readonly keys: { readonly [name in WorkerName]: string }
  readonly workers = new Map<string, WorkerProgram>()
  readonly program: Program
  #room = 0

  private constructor(
    parts: Pick<WorkerSite, 'redis' | 'wires' | 'centre' | 'doors' | 'camera' | 'panel'>,
    options: Options,
  ) {
    this.redis = parts.redis
    this.wires = parts.wires
    this.centre = parts.centre
    this.doors = parts.doors
    this.camera = parts.camera
    this.panel = parts.panel
    this.keys = { 'edge-1': keyFile(this.dir, 'edge-1'), 'edge-2': keyFile(this.dir, 'edge-2') }
    const stranger = options.bridgeIsStranger ? 'wrong' : null
    this.program = new Program(this.config(options), {
      dir: this.dir,
      env: { ...envOf('bridge', stranger ?? doorPassword, stranger ?? cameraPassword), ...options.env },
    })
  }

  /** With everything but processes of our own. */
  static async lay(options: Options = {}): Promise<WorkerSite> {
    const redis = options.redis ?? (await startRedis())
    const wires = { bridge: await startWire(redis), workers: await startWire(redis) }
    const doors = await startRestDoors<DoorToken>({
      username: 'bridge',
      password: doorPassword,
      doors: Object.fromEntries(rooms.map((n) => [`D${n}`, { schedule: 'Unlocked' }])),
    })
    const camera = await startOnvifCamera({
      username: 'bridge',
      password: cameraPassword,
      presets: { '1': 'Room 1' },
    })
    const [centre, panel] = [await Sink.start(), await startModbusPanel()]
    return new WorkerSite({ redis, wires, centre, doors, camera, panel }, options)
  }

  /** And the bridge and its workers up, and fit. */
  static async start(options: Options = {}): Promise<WorkerSite> {
    const site = await WorkerSite.lay(options)
    await site.program.start()
    await Promise.all((options.workers ?? workerNames).map((name) => site.work(name)))
    await site.fit(...(options.workers ?? workerNames))
    return site
  }

  config({ queue = {} }: Options = {}) {
    const runsOn = { 'runs-on': [...workerNames] }
    return {
      site: { name: 'Saint Elsewhere', timezone: 'UTC' },
      api: { listen: '127.0.0.1:0' },
      queue: {
        redis: this.wires.bridge.url,
        workers: Object.fromEntries(workerNames.map((name) => [name, { key: { file: this.keys[name] } }])),
        ...queue,
      },
      places: {
        manor: {
          level: 'building',
          in: Object.fromEntries(rooms.map((n) => [`ward-${n}`, { level: 'room' }])),
        },
      },
      connectors: {
        buttons: { type: 'modbus', host: '127.0.0.1', port: this.panel.port, poll: '100ms' },
        centre: {
          ...runsOn,
          type: 'http',
          url: this.centre.url,
          auth: { bearer: { env: 'CENTRE_TOKEN' } },
          requests: { 'page.send': { path: '/{{values.who}}' } },
        },
        doors: {
          ...runsOn,
          type: 'http',
          profile: 'axis-door',
          url: `http://127.0.0.1:${this.doors.port}`,
          auth: { digest: { username: 'bridge', password: { env: 'DOOR_PASSWORD' } } },
        },
        cameras: { ...runsOn, type: 'onvif', username: 'bridge', password: { env: 'CAMERA_PASSWORD' } },
      },
      devices: {
        camera: {
          connector: 'cameras',
          output: { url: `http://127.0.0.1:${this.camera.port}/onvif/device_service`, keep: true },
          sees: { 'manor/ward-1': { preset: '1' } },
        },
        'fire-panel': {
          connector: 'buttons',
          input: { discrete: fireInput },
          means: 'fire',
          place: `manor/ward-${fireRoom}`,
          stale: '2s',
        },
        ...Object.fromEntries(rooms.flatMap(devicesOf)),
      },
      responders: {
        security: { page: { connector: 'centre', values: { who: 'security' }, perceptible: 'none' } },
        supervisor: { page: { connector: 'centre', values: { who: 'supervisor' }, perceptible: 'none' } },
      },
      plans: {
        weapon: {
          when: { kind: 'weapon' },
          steps: [
            {
              at: '0s',
              do: [
                { 'page.send': { to: 'security' } },
                { 'door.lockdown': { to: 'guarding', expires: '20s', limit: '15m' } },
                { 'camera.snapshot': { to: 'nearest' } },
              ],
            },
          ],
        },
        others: {
          when: {},
          steps: [
            { at: '0s', do: [{ 'page.send': { to: 'security' } }] },
            { at: `${escalatesMs}ms`, unless: 'acknowledged', do: [{ 'page.send': { to: 'supervisor' } }] },
          ],
        },
      },
    }
  }

  /** Starts a worker, by another key or to another Redis if told. */
  async work(name: WorkerName, more: { key?: string; redis?: string; args?: string[] } = {}) {
    const worker = new WorkerProgram(
      name,
      more.key ?? this.keys[name],
      more.redis ?? this.wires.workers.url,
      {
        env: envOf(name, doorPassword, cameraPassword),
        args: more.args ?? [],
      },
    )
    this.workers.set(name, worker)
    return await worker.start()
  }

  worker(name: WorkerName): WorkerProgram {
    const worker = this.workers.get(name)
    if (!worker) throw new Error(`${name} was never started`)
    return worker
  }

  /** Until all these have the links of the centre and the doors. */
  fit(...names: readonly WorkerName[]): Promise<unknown> {
    return until(`${names} fit`, async () => {
      const links = await this.program.links()
      return names.every((name) =>
        ['centre', 'doors'].every((connector) =>
          links.some((link) => link.connector === connector && link.name.endsWith(` on ${name}`) && link.up),
        ),
      )
    })
  }

  /** Until the bridge says why it does not use this one. */
  unfit(name: WorkerName): Promise<string> {
    return until(`${name} unfit`, async () => {
      const links = await this.program.links()
      return links.find((link) => link.name.endsWith(` on ${name}`) && !link.up)?.why
    })
  }

  /** Until no fault, or one that says so, is open under this id. */
  async fault(id: string, words: RegExp | null): Promise<void> {
    await until(`fault ${id} ${words ?? 'over'}`, async () => {
      const { body } = await this.program.get('/v1/faults')
      const open = body.faults.find((fault: { id: string }) => fault.id === id)
      return words ? words.test(open?.what ?? '') : !open
    })
  }

  /** The next room, which no press of this test has been in. */
  room(): number {
    return ++this.#room
  }

  /** A press of a button in a room; when it was made, ms since the epoch. */
  async press(room = this.room(), kind: 'button' | 'weapon' = 'button'): Promise<Pressed> {
    const at = Date.now()
    return { id: await this.program.press(`${kind}-${room}`), at }
  }

  /** What the steps of an incident have brought to the centre. */
  pages(id: string, who = 'security'): Taken[] {
    return this.centre.of(`/${who}`).filter((taken) => taken.id.startsWith(`${id}/step.`))
  }

  /** The first page of an incident; rejects when it does not come soon. */
  paged(id: string, who = 'security', within = soonMs): Promise<Taken> {
    return until(`page of ${id} to ${who}`, () => this.pages(id, who)[0], within)
  }

  /** Nobody was told twice without being told so, and no worker has told security late. */
  neverLate({ id, at }: Pressed): void {
    const pages = this.pages(id)
    expect(pages.slice(1).every(({ message }) => message.possibleRepeat)).toBe(true)
    const late = pages.filter((page) => page.by !== 'bridge' && page.at > at + lateMs)
    expect(late.map((page) => `${page.by} ${page.at - at} ms after the press`)).toEqual([])
  }

  /** What a command of an incident brought; it is shown a moment after the receipt. */
  result(id: string, capability: string): Promise<any> {
    return until(`result of ${capability}`, async () => {
      const { commands } = await this.program.incident(id)
      return commands.find((one) => one.capability === capability)?.receipt?.result
    })
  }

  /** How often a door was told this. */
  told(room: number, operation: string): number {
    return this.doors.journal.all.filter(
      ({ what, detail }) => what === operation && JSON.stringify(detail).includes(`"D${room}"`),
    ).length
  }

  modes(room: number): string[] {
    return this.doors.doors[`D${room}`]?.history.map(({ mode }) => mode) ?? []
  }

  async close(): Promise<void> {
    await endAll()
    await Promise.all([this.wires.bridge.close(), this.wires.workers.close()])
    await Promise.all([this.redis.stop(), this.centre.close(), this.doors.close(), this.camera.close()])
    await this.panel.close()
  }
}

/** One that goes with its test. */
export const testSite = async (options: Options = {}): Promise<WorkerSite> => {
  const site = await WorkerSite.start(options)
  onTestFinished(() => site.close())
  return site
}

/**
 * Both workers may be given an order, one after the other, each with a grace of 500 ms and 200 ms to be asked about it; the
 * rest is what a busy machine takes. What a worker begins later than this after its press, it begins late, ms.
 */
const lateMs = 2 * (500 + 200) + 1_600

const envOf = (who: string, doors: string, cameras: string) => ({
  CENTRE_TOKEN: who,
  DOOR_PASSWORD: doors,
  CAMERA_PASSWORD: cameras,
})

const devicesOf = (n: number): [string, object][] => [
  [`button-${n}`, { connector: 'buttons', input: { discrete: n }, place: `manor/ward-${n}` }],
  [
    `weapon-${n}`,
    { connector: 'buttons', input: { discrete: rooms.length + n }, place: `manor/ward-${n}`, kind: 'weapon' },
  ],
  [
    `door-${n}`,
    {
      connector: 'doors',
      output: { values: { token: `D${n}` } },
      guards: [`manor/ward-${n}`],
      egress: 'free',
      ...(n === fireRoom ? {} : { fire: 'none' }),
    },
  ],
]
