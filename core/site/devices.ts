import { linkOf, offered, readAddress, silentAfter } from './addresses.ts'
import type { DeviceConfig } from './config.ts'
import type { Problem } from './explain.ts'
import { within } from './places.ts'
import type { Camera, ConnectorEntry, Device, Door, Place } from './site.ts'

/** Finds what a config names, and says so when it isn't there. */
export interface Lookup {
  connector(name: string, path: readonly (string | number)[]): ConnectorEntry | null
  place(path: string, at: readonly (string | number)[], key?: 'key'): Place | null
}

type Path = readonly (string | number)[]

const cameraOf = (config: DeviceConfig, can: ReadonlySet<string>, at: Path, find: Lookup): Camera | null => {
  const is = config.sees || config.privacy || can.has('camera.preset') || can.has('camera.snapshot')
  if (!is) return null
  const seen = Object.entries(config.sees ?? {}).flatMap(([path, { preset, perceptible }]) => {
    const place = find.place(path, [...at, 'sees', path], 'key')
    return place ? [[place.path, { preset: preset ?? null, perceptible: perceptible ?? null }] as const] : []
  })
  return { sees: new Map(seen), noImage: config.privacy === 'no-image' }
}

const doorOf = (config: DeviceConfig, can: ReadonlySet<string>, at: Path, find: Lookup): Door | null => {
  const { guards, egress, owner, noise, fire } = config
  const acts = [...can].some((name) => name.startsWith('door.') && name !== 'door.highlight')
  if (!acts && !guards && !egress && !owner && !noise && !fire) return null
  const guarded = (guards ?? []).map((path, index) => find.place(path, [...at, 'guards', index]))
  return {
    guards: guarded.filter((place) => place !== null),
    egress: egress ?? 'unknown',
    owner: owner ?? null,
    noise: noise ?? null,
    fireInputs: [],
    lockable: egress === 'free' && !owner && (can.has('door.secure') || can.has('door.lockdown')),
  }
}

/** What reports by itself is known to be lost within 90 s after its time; the rest of them is for looking, ms. */
const graceMs = 85_000

/** Badges and phones, unless they have a place to themselves and belong to nobody. */
const isWorn = ({ connector }: ConnectorEntry, { place, person }: DeviceConfig, input: unknown): boolean => {
  const source = (input === null ? undefined : connector.sourceOf?.(input)) ?? connector.source
  return (source === 'badge' || source === 'mobile') && (place === undefined || person !== undefined)
}

/** One device, its addresses read by its connector's schemas. */
export const buildDevice = (
  name: string,
  config: DeviceConfig,
  find: Lookup,
  problems: Problem[],
): Device | null => {
  const at = ['devices', name]
  const place = config.place === undefined ? null : find.place(config.place, [...at, 'place'])
  const entry = find.connector(config.connector, [...at, 'connector'])
  if (!entry) return null
  if (config.input === undefined && config.output === undefined)
    problems.push({
      path: at,
      message: `\`${name}\` needs an \`input\` or an \`output\`: where it is on \`${entry.name}\``,
      fatal: true,
    })
  const input = readAddress(entry, 'input', config.input, [...at, 'input'], problems)
  const output = readAddress(entry, 'output', config.output, [...at, 'output'], problems)
  const links = [input, output].filter((address) => address !== null)
  const names = new Set(links.map((address) => linkOf(entry, address, at, problems)))
  if (names.size > 1)
    problems.push({
      path: at,
      message: 'its input and its output are on different connections: write two devices',
      fatal: true,
    })
  const can = offered(entry, output, [...at, 'output'], problems)
  return {
    name,
    label: config.label ?? name,
    connector: entry.name,
    link: [...names][0] ?? entry.name,
    input,
    output,
    can,
    place,
    means: config.means,
    kind: config.kind ?? 'duress',
    patterns: config.patterns ?? {},
    silent: config.silent ?? false,
    person: config.person ?? null,
    token: config.token ?? null,
    perceptible: config.perceptible ?? null,
    testEveryMs: config.test ?? null,
    worn: config.worn ?? isWorn(entry, config, input),
    silentAfterMs:
      config.reports === undefined ? silentAfter(entry, input, at, problems) : config.reports + graceMs,
    staleMs: config.stale ?? null,
    camera: cameraOf(config, can, at, find),
    door: doorOf(config, can, at, find),
  }
}

/** Gives each door the fire inputs that stand at or above what it guards, or at or above its own place. */
export const coverDoors = (devices: ReadonlyMap<string, Device>): Map<string, Device> => {
  const fires = [...devices.values()].filter(
    ({ means, input, place }) => means === 'fire' && input !== null && place,
  )
  const covered = [...devices].map(([name, device]): [string, Device] => {
    if (!device.door) return [name, device]
    const places = [...device.door.guards, ...(device.place ? [device.place] : [])]
    const inputs = fires.filter((fire) => places.some((place) => within(place, fire.place!)))
    return [name, { ...device, door: { ...device.door, fireInputs: inputs.map((fire) => fire.name).sort() } }]
  })
  return new Map(covered)
}
