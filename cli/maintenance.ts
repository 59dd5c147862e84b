import { Command } from 'commander'
import { BridgeError } from '../core/error.ts'
import { ask, defaultUrl, type Reach, take } from './client.ts'
import { say, sayJson } from './print.ts'

interface Options extends Reach {
  readonly for?: string
  readonly because?: string
  readonly end?: true
  readonly json?: true
}

export default new Command('service')
  .summary('take a device into service mode while somebody works on it')
  .description(
    'While a device is in service mode its faults page nobody. A press on it is recorded and summons help all the same; its page says that the device is in service mode. It ends by itself, after 8 hours at the latest.',
  )
  .argument('<device>', 'its name in the config')
  .option('--for <duration>', 'for how long, such as 90m; at most 8h')
  .option('--because <words>', 'why; everybody who looks at the device reads it')
  .option('--end', 'the work is done')
  .option('--url <url>', `address of a running bridge (default: ${defaultUrl})`)
  .option('--token-env <name>', 'environment variable that holds the API token')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge service triage-2-button --for 2h --because "new cable"
  $ duress-bridge service triage-2-button --end`,
  )
  .action(async (device: string, options: Options) => {
    const path = `/v1/devices/${encodeURIComponent(device)}/service`
    if (options.end) {
      const answer = await take(options, path)
      return options.json ? sayJson(answer) : say(`${device} is out of service mode`)
    }
    const { for: time, because } = options
    if (time === undefined || because === undefined)
      throw new BridgeError('BAD_REQUEST', 'say --for how long and --because of what, or --end')
    const answer = await ask(options, path, { for: time, because })
    if (options.json) return sayJson(answer)
    const { until } = (answer as { service: { until: number } }).service
    say(
      `${device} is in service mode until ${new Date(until).toISOString()}: its presses summon help all the same`,
    )
  })
