import { Command } from 'commander'
import type { WalkTest } from '../core/supervision/records.ts'
import { ask, defaultUrl, type Reach, take } from './client.ts'
import { say, sayJson } from './print.ts'

interface Options extends Reach {
  readonly place?: string
  readonly for?: string
  readonly json?: true
}

const reached = (command: Command): Command =>
  command
    .option('--url <url>', `address of a running bridge (default: ${defaultUrl})`)
    .option('--token-env <name>', 'environment variable that holds the API token')
    .option('--json', 'machine-readable')

const start = reached(new Command('start'))
  .summary('from now on presses of these devices are tests')
  .argument('[devices...]', 'their names in the config')
  .option('--place <path>', 'instead: all fixed devices in this place')
  .option('--for <duration>', 'for how long, such as 30m; default 2h, at most 8h')
  .action(async (devices: string[], { place, for: time, ...options }: Options) => {
    const { walkTest } = (await ask(options, '/v1/walk-tests', {
      ...(devices.length > 0 ? { devices } : {}),
      ...(place === undefined ? {} : { place }),
      ...(time === undefined ? {} : { for: time }),
    })) as unknown as { walkTest: WalkTest }
    if (options.json) return sayJson({ walkTest })
    say(`${walkTest.id}: presses of ${walkTest.devices.join(', ')}`)
    say(
      `are tests until ${new Date(walkTest.until).toISOString()}; then, or after \`walk-test stop\`, they are real`,
    )
  })

const stop = reached(new Command('stop'))
  .summary('from now on every press is real again')
  .argument('[id]', 'of the walk test; without it all end')
  .action(async (id: string | undefined, options: Options) => {
    const { walkTests } = (await ask(options, '/v1/walk-tests')) as unknown as { walkTests: WalkTest[] }
    const ids = id === undefined ? walkTests.map((test) => test.id) : [id]
    for (const one of ids) await take(options, `/v1/walk-tests/${encodeURIComponent(one)}`)
    if (options.json) return sayJson({ stopped: ids })
    say(ids.length === 0 ? 'no walk test runs' : `stopped: ${ids.join(', ')}`)
  })

export default new Command('walk-test')
  .summary('prove devices by pressing them, without calling anybody')
  .description(
    'A press of a device in a walk test is told as DRILL WALK TEST, moves no door, and resolves itself. Whose outputs were all observed is proven, and the test register says so.',
  )
  .addCommand(start)
  .addCommand(stop)
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge walk-test start triage-2-button triage-5-button
  $ duress-bridge walk-test start --place north/l2/ed --for 30m
  $ duress-bridge walk-test stop`,
  )
