import { randomUUID } from 'node:crypto'
import { Command, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from '../core/connector.ts'
import { BridgeError } from '../core/error.ts'
import { type Json, Kind } from '../core/fact.ts'
import { ask, defaultUrl } from './client.ts'
import { findControl, pressThere } from './demo/control.ts'
import { say, sayJson } from './print.ts'

interface Options {
  readonly kind?: Kind
  readonly drill?: true
  readonly hold?: number
  readonly data?: string
  readonly url?: string
  readonly tokenEnv?: string
  readonly json?: true
}

const holdMs = (text: string): number => {
  const ms = parseDuration(text)
  if (ms === null || ms < 1) throw new InvalidArgumentError('write a duration such as 500ms or 30s')
  return ms
}

export default new Command('press')
  .summary('press a button')
  .description(
    'Presses a device. While the demo runs, through its real input: the contact of the mock panel, the signed call of the mock badge system, the report of the mock keypad. Else, or with --url, by the API of a running bridge. A real press: people are told.',
  )
  .argument('<device>', 'its name in the config')
  .addOption(new Option('--kind <kind>', 'what it calls for').choices(Kind.options))
  .option('--drill', 'a drill: told as one, and locks nothing for real incidents')
  .option('--hold <duration>', 'how long a button of the demo is held, such as 30s', holdMs)
  .option('--data <dir>', 'data directory of the demo, when several run')
  .option('--url <url>', `address of a running bridge (without a demo: ${defaultUrl})`)
  .option('--token-env <name>', 'environment variable that holds the API token')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge press lobby-weapon-button
  $ duress-bridge press badge-0118 --kind weapon
  $ duress-bridge press teller-code
  $ duress-bridge press fire-panel --hold 20s
  $ duress-bridge press triage-2-button --drill --url http://127.0.0.1:8080`,
  )
  .action(async (device: string, options: Options) => {
    const pressed = (await pressDemo(device, options)) ?? (await pressByApi(device, options))
    if (options.json) return sayJson(pressed)
    const { incident, number } = pressed as { incident?: string | null; number?: number | null }
    const which = incident
      ? `: incident ${number ? `${number}, ` : ''}${incident}`
      : ', which opens no incident'
    say(`${device} pressed${which}`)
  })

const pressDemo = async (device: string, { kind, drill, hold, data, url }: Options): Promise<Json | null> => {
  const control = url === undefined ? findControl(data) : null
  if (control === null && data !== undefined)
    throw new BridgeError('UNREACHABLE', `no demo runs on ${data}: start one with --data ${data}`)
  return control && pressThere(control, { device, kind, drill, holdMs: hold })
}

const pressByApi = (device: string, { kind, drill, url, tokenEnv }: Options): Promise<Json> =>
  ask(
    { ...(url === undefined ? {} : { url }), ...(tokenEnv === undefined ? {} : { tokenEnv }) },
    '/v1/presses',
    {
      device,
      key: randomUUID(),
      ...(kind === undefined ? {} : { kind }),
      ...(drill === undefined ? {} : { drill }),
    },
  )
