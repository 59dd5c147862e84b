import { existsSync } from 'node:fs'
import { Command } from 'commander'
import type { DoorReport } from '../core/capability.ts'
import type { Hold } from '../core/door/hold.ts'
import type { Json } from '../core/fact.ts'
import type { Site } from '../core/site/site.ts'
import { storeFiles } from '../core/store/files.ts'
import { Reader } from '../core/store/reader.ts'
import { ask, defaultUrl } from './client.ts'
import { paint, say, sayJson, table } from './print.ts'
import { readSite } from './site.ts'

interface Options {
  readonly url?: string
  readonly tokenEnv?: string
  readonly config?: string
  readonly data?: string
  readonly json?: true
}

/** A door as far as it is known: without a running bridge nobody knows what it reports. */
interface Door {
  readonly name: string
  readonly reported: DoorReport | null
  readonly holds: readonly Pick<Hold, 'mode' | 'until' | 'by' | 'incident' | 'confirmed'>[]
  readonly fire: string
  readonly lockable: boolean
  readonly whyNot: string | null
  /** Nobody but a running bridge gives it back. */
  readonly dependsOnBridge: boolean
}

export default new Command('doors')
  .summary('which doors are held, and which depend on the bridge being alive')
  .description(
    'Lists all doors: what they report, our holds, fire, and whether the bridge may lock them. From a running bridge; or with --config and --data from its config and records, when none runs. A held door stays as it is until a running bridge releases it.',
  )
  .option('--url <url>', `address of a running bridge (default: ${defaultUrl})`)
  .option('--token-env <name>', 'environment variable that holds the API token')
  .option('--config <file>', 'read this config instead of asking a bridge')
  .option('--data <dir>', 'with --config: data directory of the bridge, for its holds')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge doors
  $ duress-bridge doors --config site.yaml --data ./data`,
  )
  .action(async (options: Options) => {
    const doors =
      options.config === undefined ? await fromBridge(options) : await fromFiles(options.config, options.data)
    if (options.json) return sayJson({ doors })
    tell(doors)
  })

const fromBridge = async (options: Options): Promise<readonly Door[]> => {
  const { doors } = (await ask(options, '/v1/doors')) as { doors: Json }
  return doors as unknown as readonly Door[]
}

const fromFiles = async (config: string, data: string | undefined): Promise<readonly Door[]> => {
  const site = await readSite(config)
  const holds = data === undefined ? [] : holdsIn(data)
  const held = new Set(holds.map(({ door }) => door))
  const doors = [...site.devices.values()].filter(({ door }) => door !== null)
  const names = [...new Set([...doors.map(({ name }) => name), ...held])]
  return names.map((name) => doorOf(site, name, holds))
}

const doorOf = (site: Site, name: string, all: readonly Hold[]): Door => {
  const door = site.devices.get(name)?.door
  const holds = all.filter((hold) => hold.door === name)
  const whyNot = !door
    ? 'not in this config'
    : door.owner !== null
      ? `it belongs to ${door.owner}`
      : door.egress !== 'free'
        ? `its way out is ${door.egress}`
        : 'its connector can not lock it'
  const lockable = door?.lockable ?? false
  return {
    name,
    reported: null,
    holds,
    fire: door?.fireInputs.length ? `by ${door.fireInputs.join(', ')}` : 'no input',
    lockable,
    whyNot: lockable ? null : whyNot,
    dependsOnBridge: holds.length > 0,
  }
}

/** Live holds of the newest file, in which they all are. */
const holdsIn = (data: string): Hold[] => {
  const file = existsSync(data) ? storeFiles(data).at(-1) : undefined
  if (file === undefined) return []
  const reader = Reader.open(file)
  try {
    return reader.holds().map(({ body }) => body as unknown as Hold)
  } finally {
    reader.close()
  }
}

const tell = (doors: readonly Door[]): void => {
  const rows = doors.map(({ name, reported, holds, fire, lockable, whyNot }) => [
    name,
    reported ? `${reported.mode}${reported.forced ? ', FORCED' : ''}` : '?',
    holds
      .map(({ mode, until, confirmed }) => `${mode}${confirmed ? '' : ' (NOT confirmed)'} until ${at(until)}`)
      .join('; ') || '-',
    fire,
    lockable ? 'yes' : `no: ${whyNot}`,
  ])
  const [head, ...lines] = table([['DOOR', 'REPORTS', 'HELD', 'FIRE', 'MAY BE LOCKED'], ...rows])
  say(paint('bold', head ?? ''))
  for (const [index, line] of lines.entries())
    say(doors[index]?.dependsOnBridge ? paint('yellow', line) : line)
  const depend = doors.filter(({ dependsOnBridge }) => dependsOnBridge).map(({ name }) => name)
  say(
    depend.length === 0
      ? '\nNo door depends on the bridge being alive.'
      : `\n${paint('yellow', `Only a running bridge releases: ${depend.join(', ')}`)}`,
  )
}

const at = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ').concat(' UTC')
