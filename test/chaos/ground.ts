/**
 * The site that chaos happens to: 200 devices. What acts is in groups, each a server of its own with a port of its own,
 * so that one can hang without the others.
 */
export const wings = [0, 1, 2, 3] as const
export const webhookButtons = 130
/** The last of the webhook buttons are weapon buttons, each at a door of its own. */
const doorCount = 24
export const panelButtons = 8
export const keypads = 4
const fireInputs = wings.length

/** Groups of targets and how many targets each has. */
export const groups = {
  ...Object.fromEntries(wings.map((n) => [`pagers-${n}`, 2])),
  ...Object.fromEntries([0, 1, 2].map((n) => [`sinks-${n}`, 2])),
  ...Object.fromEntries([0, 1, 2, 3, 4, 5].map((n) => [`doors-${n}`, doorCount / 6])),
  ...Object.fromEntries(wings.map((n) => [`cameras-${n}`, 4])),
} as { readonly [group: string]: number }

export const deviceCount =
  webhookButtons +
  panelButtons +
  keypads +
  fireInputs +
  Object.values(groups).reduce((sum, count) => sum + count, 0)

/** Where everything is reached. */
export interface Ports {
  readonly api: number
  readonly webhook: number
  readonly keypads: number
  /** The Modbus panel with the buttons. */
  readonly panel: number
  /** The Modbus panel with the fire inputs. */
  readonly fire: number
  readonly groups: { readonly [group: string]: number }
}

/** The workers, where there is Redis. */
export const workers = ['w1', 'w2'] as const

/** Redis, and by worker the file with its key. */
export interface Queue {
  readonly redis: string
  readonly keys: { readonly [worker: string]: string }
}

/** How long after the press a lock may still start, and how long it may stay, ms. */
const lockExpiresMs = 4_000
const lockLimitMs = 12_000

const wingOf = (button: number): number => button % wings.length
export const isWeapon = (button: number): boolean => button >= webhookButtons - doorCount
/** The wing that a door is in, and whose fire input covers it. */
export const wingOfDoor = (door: number): number => wingOf(door + webhookButtons - doorCount)
const roomOf = (button: number): string => `wing-${wingOf(button)}/room-${button}`
/** In these wings weapon presses lock down; in the others doors are secured. */
const isLockedDown = (wing: number): boolean => wing < 2

/** What an incident of this wing does at once, beside doors and cameras: target by the group that it is in. */
const toldAtOnce = (wing: number): readonly string[] => [
  `pager-${wing}-0`,
  `pager-${(wing + 1) % wings.length}-1`,
  `sink-${wing % 3}-0`,
  `sink-${(wing + 1) % 3}-1`,
]
/** The group of a target that pages or takes events, of a door, or of a camera, by its name. */
export const groupOf = (target: string): string => {
  const [kind, group] = target.split('/')[0]!.split('-')
  return `${kind}s-${group}`
}

const confirmed = (mode: string) => ({
  path: '/doors/{{values.id}}',
  test: `mode = "${mode}"`,
  result: '{ "mode": mode }',
  every: '100ms',
})

const requests: { readonly [kind: string]: object } = {
  pagers: { 'page.send': { path: '/page/{{values.id}}', success: { test: 'taken' } } },
  sinks: { 'event.send': { path: '/event/{{values.id}}', success: { test: 'taken' } } },
  cameras: {
    'camera.preset': {
      path: '/preset/{{values.id}}',
      body: { preset: '{{args.preset}}' },
      success: { test: 'taken' },
    },
  },
  doors: {
    'door.state': { path: '/doors/{{values.id}}', result: '{ "mode": mode }' },
    'door.lockdown': { path: '/doors/{{values.id}}/lockdown', body: {}, confirm: confirmed('lockdown') },
    'door.secure': { path: '/doors/{{values.id}}/secure', body: {}, confirm: confirmed('locked') },
    'door.release': { path: '/doors/{{values.id}}/release', body: {}, confirm: confirmed('unlocked') },
  },
}

/** Whether commands to a group are carried to workers, where there are any: every other group. */
export const isCarried = (group: string): boolean => Object.keys(groups).indexOf(group) % 2 === 1

/** One worker first, the other as its second. */
const runsOn = (index: number, queue: Queue | null): object => {
  if (!queue || index % 2 === 0) return {}
  const first = (index >> 1) % workers.length
  return { 'runs-on': [...workers.slice(first), ...workers.slice(0, first)] }
}

const connectors = (ports: Ports, queue: Queue | null) => ({
  buttons: {
    type: 'webhook',
    listen: `127.0.0.1:${ports.webhook}`,
    path: '/press',
    hmac: { secret: { env: 'CHAOS_SECRET' }, style: 'github' },
  },
  panel: { type: 'modbus', host: '127.0.0.1', port: ports.panel, poll: '200ms' },
  fire: { type: 'modbus', host: '127.0.0.1', port: ports.fire, poll: '200ms' },
  keypads: {
    type: 'sia-dc09',
    listen: `127.0.0.1:${ports.keypads}`,
    accounts: Object.fromEntries(Array.from({ length: keypads }, (_, n) => [accountOf(n), {}])),
  },
  ...Object.fromEntries(
    Object.keys(groups).map((group, index) => [
      group,
      {
        type: 'http',
        url: `http://127.0.0.1:${ports.groups[group]}`,
        timeout: '1500ms',
        connections: 8,
        ...runsOn(index, queue),
        requests: requests[group.split('-')[0] as string],
      },
    ]),
  ),
})

export const accountOf = (keypad: number): string => `080${keypad}`
/** Where a module of the panel counts what is pressed (two registers each), and the coil that resets its latch. */
const counterAt = 0x10
export const latchCoil = (button: number): number => 32 + button

const inputs = () => ({
  ...Object.fromEntries(
    Array.from({ length: webhookButtons }, (_, n) => [
      `button-${n}`,
      {
        connector: 'buttons',
        input: { id: `b${n}` },
        place: roomOf(n),
        kind: isWeapon(n) ? 'weapon' : 'duress',
      },
    ]),
  ),
  ...Object.fromEntries(
    Array.from({ length: panelButtons }, (_, n) => [
      `panel-button-${n}`,
      {
        connector: 'panel',
        // Half of the inputs count, half of them latch.
        input:
          n % 2 === 0
            ? { discrete: n, counter: counterAt + 2 * n }
            : { discrete: n, latch: { reset: latchCoil(n) } },
        place: `wing-${wingOf(n)}/hall`,
        kind: 'assist',
      },
    ]),
  ),
  ...Object.fromEntries(
    Array.from({ length: keypads }, (_, n) => [
      `keypad-${n}`,
      {
        connector: 'keypads',
        input: { account: accountOf(n) },
        place: `wing-${wingOf(n)}/hall`,
        kind: 'hold-up',
      },
    ]),
  ),
  ...Object.fromEntries(
    wings.map((wing) => [
      `fire-${wing}`,
      { connector: 'fire', input: { discrete: wing }, means: 'fire', place: `wing-${wing}`, stale: '2s' },
    ]),
  ),
})

const outputs = () => {
  const all: { [name: string]: object } = {}
  for (const [group, count] of Object.entries(groups)) {
    const [kind, n] = group.split('-') as [string, string]
    for (let index = 0; index < count; index++) {
      const id = `${n}-${index}`
      const common = { connector: group, output: { values: { id } }, perceptible: 'none' }
      if (kind === 'sinks') all[`sink-${id}`] = common
      if (kind === 'doors') {
        const { perceptible: _, ...plain } = common
        const button = Number(n) * (doorCount / 6) + index + webhookButtons - doorCount
        all[`door-${id}`] = { ...plain, guards: [roomOf(button)], egress: 'free', noise: 'none' }
      }
      if (kind === 'cameras') all[`camera-${id}`] = { ...common, sees: seenBy(Number(n), index) }
    }
  }
  return all
}

/** The rooms of a wing are shared out among its four cameras. */
const seenBy = (wing: number, camera: number) =>
  Object.fromEntries(
    Array.from({ length: webhookButtons }, (_, n) => n)
      .filter((n) => wingOf(n) === wing && Math.floor(n / wings.length) % 4 === camera)
      .map((n) => [roomOf(n), { preset: `${n}` }]),
  )

const plans = () => ({
  ...Object.fromEntries(
    wings.flatMap((wing) => {
      const [pagerA, pagerB, ...sinks] = toldAtOnce(wing)
      const tell = [{ 'page.send': { to: [pagerA, pagerB] } }, { 'event.send': { to: sinks } }]
      const camera = { 'camera.preset': { to: 'nearest' } }
      const later = { at: '5s', unless: 'acknowledged', do: [{ 'page.send': { to: `pager-${wing}-1` } }] }
      const lock = {
        [isLockedDown(wing) ? 'door.lockdown' : 'door.secure']: {
          to: 'guarding',
          expires: `${lockExpiresMs}ms`,
          limit: `${lockLimitMs}ms`,
        },
      }
      const place = `wing-${wing}`
      return [
        [
          `weapon-${wing}`,
          { when: { kind: 'weapon', place }, steps: [{ at: '0s', do: [...tell, lock, camera] }, later] },
        ],
        [`other-${wing}`, { when: { place }, steps: [{ at: '0s', do: [...tell, camera] }, later] }],
      ]
    }),
  ),
  anywhere: {
    when: {},
    steps: [
      { at: '0s', do: [{ 'page.send': { to: 'pager-0-0' } }] },
      { at: '30s', unless: 'acknowledged', do: [{ 'page.send': { to: 'pager-1-1' } }] },
    ],
  },
})

/** The config of the site. */
export const siteOf = (ports: Ports, queue: Queue | null): object => ({
  site: { name: 'Chaos', timezone: 'UTC' },
  api: { listen: `127.0.0.1:${ports.api}` },
  ...(queue
    ? {
        queue: {
          redis: queue.redis,
          workers: Object.fromEntries(
            Object.entries(queue.keys).map(([name, file]) => [name, { key: { file } }]),
          ),
        },
      }
    : {}),
  places: Object.fromEntries(
    wings.map((wing) => [
      `wing-${wing}`,
      {
        level: 'building',
        in: {
          // Not exact, so that the buttons here join only their own incidents.
          hall: { level: 'unit' },
          ...Object.fromEntries(
            Array.from({ length: webhookButtons }, (_, n) => n)
              .filter((n) => wingOf(n) === wing)
              .map((n) => [`room-${n}`, { level: 'room' }]),
          ),
        },
      },
    ]),
  ),
  connectors: connectors(ports, queue),
  devices: { ...inputs(), ...outputs() },
  responders: Object.fromEntries(
    wings.flatMap((wing) =>
      [0, 1].map((n) => [
        `pager-${wing}-${n}`,
        { page: { connector: `pagers-${wing}`, values: { id: `${wing}-${n}` }, perceptible: 'none' } },
      ]),
    ),
  ),
  plans: plans(),
})
