import { Command } from 'commander'
import { resolveSecret } from '../config/secret.ts'
import { deadline, SystemClock } from '../core/clock.ts'
import type { Log } from '../core/connector.ts'
import { BridgeError, messageOf } from '../core/error.ts'
import type { Json } from '../core/fact.ts'
import { InlineRunner, type LinkHealth } from '../core/runner/inline.ts'
import { partition } from '../core/runner/part.ts'
import type { Site } from '../core/site/site.ts'
import { paint, say, sayJson, table } from './print.ts'
import { readSite } from './site.ts'

/** How long a link may take to open, and a target to answer, ms. */
const openMs = 10_000
const answerMs = 10_000
/** More of what a target says of itself is for --json. */
const wordsMax = 140

/** Something that can be tried: a device, a contact path, or a link without either. */
interface Target {
  readonly name: string
  readonly link: string
  readonly address: unknown
}

interface Probed {
  readonly target: string
  readonly link: string
  readonly ok: boolean
  /** What it said of itself, or what is wrong. */
  readonly what: string
  readonly said: Json
}

export default new Command('probe')
  .summary('try devices and paths out without moving anything')
  .description(
    'Opens the connections of a target, or of the whole site, and asks each device whether it is there, takes our credentials, knows the address and can do what the config wants. Nothing moves, nobody is paged, and a press that comes meanwhile is not acknowledged. Exits with 1 when anything failed.',
  )
  .argument('[target]', 'a device, responder or connector; all when left out')
  .requiredOption('--config <file>', 'the config')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
A webhook that the running bridge listens on can't be opened a second time: NOT_LISTENING then is no fault of its own.

Examples:
  $ duress-bridge probe --config site.yaml
  $ duress-bridge probe door-ed-w --config site.yaml`,
  )
  .action(async (wanted: string | undefined, { config, json }: { config: string; json?: true }) => {
    const site = await readSite(config)
    const targets = targetsOf(site, wanted)
    const probed = await probeAll(site, targets)
    if (probed.some(({ ok }) => !ok)) process.exitCode = 1
    if (json) sayJson(probed)
    else tell(probed)
  })

const tell = (probed: readonly Probed[]): void => {
  const rows = probed.map(({ target, link, ok, what }) => [target, link, ok ? 'ok' : 'FAILED', what])
  const [head, ...lines] = table([['TARGET', 'LINK', 'RESULT', 'WHAT'], ...rows])
  say(paint('bold', head ?? ''))
  for (const [index, line] of lines.entries()) say(probed[index]?.ok ? line : paint('red', line))
}

const targetsOf = (site: Site, wanted: string | undefined): Target[] => {
  const devices = [...site.devices.values()].map(({ name, link, output, connector }) => ({
    target: { name, link, address: output },
    names: [name, connector],
  }))
  const paths = [...site.responders.values()].flatMap(({ name: responder, paths }) =>
    paths.map(({ name, link, address, connector }) => ({
      target: { name, link, address },
      names: [name, responder, connector],
    })),
  )
  const all = [...devices, ...paths]
  const found =
    wanted === undefined ? all : [...devices, ...paths].filter(({ names }) => names.includes(wanted))
  if (found.length === 0)
    throw new BridgeError(
      'UNKNOWN_DEVICE',
      `there is no device, responder or connector in use named ${wanted}`,
    )
  // A group has the paths of its members.
  return [...new Map(found.map(({ target }) => [target.name, target])).values()]
}

/** Links of these targets, and no others, are opened. */
const partOf = (site: Site, targets: readonly Target[]): Site => {
  const links = new Set(targets.map(({ link }) => link))
  const devices = [...site.devices].filter(([, { link }]) => links.has(link))
  const responders = [...site.responders].map(
    ([name, responder]) =>
      [name, { ...responder, paths: responder.paths.filter(({ link }) => links.has(link)) }] as const,
  )
  const used = new Set([
    ...devices.map(([, { connector }]) => connector),
    ...responders.flatMap(([, { paths }]) => paths.map(({ connector }) => connector)),
  ])
  return {
    ...site,
    devices: new Map(devices),
    responders: new Map(responders),
    connectors: new Map([...site.connectors].filter(([name]) => used.has(name))),
  }
}

const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

const probeAll = async (site: Site, targets: readonly Target[]): Promise<Probed[]> => {
  const clock = new SystemClock()
  const first = new Map<string, (health: LinkHealth) => void>()
  const opened = new Map(
    targets.map(({ link }) => {
      const turned = new Promise<LinkHealth>((resolve) => first.set(link, resolve))
      return [link, turned] as const
    }),
  )
  const runner = new InlineRunner({
    clock,
    log: quiet,
    random: Math.random,
    // Not ours to take: the sender keeps it for the bridge.
    record: () => Promise.reject(new BridgeError('NOT_RECORDED', 'this is only a probe')),
    note: () => {},
    keep: () => Promise.reject(new BridgeError('NOT_RECORDED', 'this is only a probe')),
    secret: resolveSecret,
    cursor: () => undefined,
    turned: (health) => first.get(health.name)?.(health),
  })
  runner.start(partition(partOf(site, targets)))
  try {
    return await Promise.all(
      targets.map(async ({ name, link, address }) => {
        const limit = deadline(clock, openMs + answerMs)
        try {
          const health = (await opened.get(link)) as LinkHealth
          if (!health.up) throw new BridgeError('LINK_DOWN', `not connected: ${health.why}`)
          const said = await runner.probe(link, address, limit.signal)
          return { target: name, link, ok: true, what: inWords(said), said }
        } catch (error) {
          return { target: name, link, ok: false, what: messageOf(error), said: null }
        } finally {
          limit.cancel()
        }
      }),
    )
  } finally {
    await runner.stop()
  }
}

/** `{ mode: "locked", can: [...] }` as `mode locked, can Lock LockDown`. */
const inWords = (said: Json): string => {
  if (said === null || typeof said !== 'object') return String(said)
  const word = (value: Json | undefined): string =>
    Array.isArray(value)
      ? value.map((inner: Json) => word(inner)).join(' ')
      : value !== null && typeof value === 'object'
        ? Object.entries(value)
            .map(([key, inner]) => `${key} ${word(inner)}`)
            .join(' ')
        : String(value)
  return Object.entries(said)
    .map(([key, value]) => (value === true ? key : `${key} ${word(value)}`))
    .join(', ')
    .slice(0, wordsMax)
}
