import { Command } from 'commander'
import { type Standing, standings, words } from '../core/supervision/standing.ts'
import { ask, defaultUrl, type Reach } from './client.ts'
import { paint, say, sayJson, table } from './print.ts'

interface Options extends Reach {
  readonly json?: true
}

/** A device as the API tells it. */
interface Device {
  readonly name: string
  readonly place: string | null
  readonly stands: Standing['is']
  readonly standsWhy: string
  readonly ageMs: number | null
  readonly batteryPercent: number | null
}

const styles: { readonly [is in Standing['is']]?: Parameters<typeof paint>[0] } = {
  service: 'yellow',
  damaged: 'red',
  lost: 'red',
  missing: 'yellow',
  late: 'yellow',
  proven: 'green',
}

export default new Command('devices')
  .summary(
    'how each device stands: proven, fine, late, lost, missing, damaged, never tested, in service mode',
  )
  .description(
    'Lists all devices of a running bridge, the worst first: how each one stands and why, when it was last heard, its battery. What takes protection from a place pages the responders of `supervision.maintenance`; the rest is in the daily digest.',
  )
  .option('--url <url>', `address of a running bridge (default: ${defaultUrl})`)
  .option('--token-env <name>', 'environment variable that holds the API token')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge devices
  $ duress-bridge devices --json | jq '.devices[] | select(.stands == "lost") | .name'`,
  )
  .action(async (options: Options) => {
    const answer = (await ask(options, '/v1/devices')) as unknown as {
      devices: Device[]
      counts: Record<Standing['is'], number>
    }
    if (options.json) return sayJson(answer)
    tell(answer.devices, answer.counts)
  })

const tell = (devices: readonly Device[], counts: Record<Standing['is'], number>): void => {
  const worst = [...devices].sort((a, b) => standings.indexOf(a.stands) - standings.indexOf(b.stands))
  const rows = worst.map(({ name, place, stands, standsWhy, ageMs, batteryPercent }) => [
    name,
    stands,
    place ?? '-',
    ageMs === null ? '-' : words(ageMs),
    batteryPercent === null ? '-' : `${batteryPercent} %`,
    standsWhy,
  ])
  const [head, ...lines] = table([['DEVICE', 'STANDS', 'PLACE', 'HEARD', 'BATTERY', 'WHY'], ...rows])
  say(paint('bold', head ?? ''))
  for (const [index, line] of lines.entries()) {
    const style = styles[worst[index]?.stands ?? 'fine']
    say(style ? paint(style, line) : line)
  }
  const some = standings.filter((is) => counts[is] > 0).map((is) => `${counts[is]} ${is}`)
  say(`\n${devices.length} devices: ${some.join(', ')}`)
}
