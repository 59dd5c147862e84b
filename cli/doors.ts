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
  /** null: not known without its config. */
  readonly lockable: boolean | null
  readonly whyNot: string | null
  /** Nobody but a running bridge gives it back. */
  readonly dependsOnBridge: boolean
}

export default new Command('doors')
  .summary('which doors are held, and which depend on the bridge being alive')
  .description(
    'Lists all doors: what they report, our holds, fire, and whether the bridge may lock them. From a running bridge; or, when none runs, from its config and records: with --data alone only what is held. A held door stays as it is until a running bridge releases it.',
  )
  .option('--url <url>', `address of a running bridge (default: ${defaultUrl})`)
  .option('--token-env <name>', 'environment variable that holds the API token')
  .option('--config <file>', 'read this config instead of asking a bridge')
  .option('--data <dir>', 'data directory of the bridge: read its holds instead of asking it')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge doors
  $ duress-bridge doors --data ./data
  $ duress-bridge doors --config site.yaml --data ./data`,
  )
  .action(async (options: Options) => {
    const { config, data } = options
    const doors =
      config === undefined && data === undefined ? await fromBridge(options) : await fromFiles(config, data)
    if (options.json) return sayJson({ doors })
    tell(doors)
  })

const fromBridge = async (options: Options): Promise<readonly Door[]> => {
  const { doors } = (await ask(options, '/v1/doors')) as { doors: Json }
  return doors as unknown as readonly Door[]
}

const fromFiles = async (config: string | undefined, data: string | undefined): Promise<readonly Door[]> => {
  const site = config === undefined ? null : await readSite(config)
  const holds = data === undefined ? [] : holdsIn(data)
  const doors = [...(site?.devices.values() ?? [])].filter(({ door }) => door !== null)
  const names = new Set([...doors.map(({ name }) => name), ...holds.map(({ door }) => door)])
  return [...names].map((name) => ({
    name,
    reported: null,
    holds: holds.filter(({ door }) => door === name),
    dependsOnBridge: holds.some(({ door }) => door === name),
    ...(site ? configured(site, name) : { fire: '?', lockable: null, whyNot: null }),
  }))
}

const configured = (site: Site, name: string): Pick<Door, 'fire' | 'lockable' | 'whyNot'> => {
  const door = site.devices.get(name)?.door
  if (!door) return { fire: '?', lockable: false, whyNot: 'not in this config' }
  const fire = door.fireInputs.length > 0 ? `by ${door.fireInputs.join(', ')}` : 'no input'
  if (door.lockable) return { fire, lockable: true, whyNot: null }
  const whyNot =
    door.owner !== null
      ? `it belongs to ${door.owner}`
      : door.egress !== 'free'
        ? `its way out is ${door.egress}`
        : 'its connector can not lock it'
  return { fire, lockable: false, whyNot }
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
    lockable === null ? '?' : lockable ? 'yes' : `no: ${whyNot}`,
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
