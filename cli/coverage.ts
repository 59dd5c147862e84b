import { Command } from 'commander'
import type { Json } from '../core/fact.ts'
import type { Gap } from '../core/location/coverage.ts'
import { ask, defaultUrl, type Reach } from './client.ts'
import { scoreWords, type Walk } from './location-walk.ts'
import { say, sayJson, table } from './print.ts'

interface Options extends Reach {
  readonly json?: true
}

const headings: Readonly<Record<Gap['what'], string>> = {
  'no-device': 'Units where nobody can call',
  'not-exact': 'Located less exactly than promised',
  unseen: 'Rooms where badges were not seen again',
  'no-role': 'Roles without devices',
  'incident-without-device': 'Incidents where there is no device',
}

export default new Command('coverage')
  .summary('where protection has gaps')
  .description(
    'Units without a device, places that are located less exactly than promised, rooms where badges were not seen again, roles without devices, incidents where there were none; and the scores of the location walks. From a running bridge. No badge and no person is named.',
  )
  .option('--url <url>', `address of a running bridge (default: ${defaultUrl})`)
  .option('--token-env <name>', 'environment variable that holds the API token')
  .option('--json', 'machine-readable')
  .action(async (options: Options) => {
    const { gaps } = (await ask(options, '/v1/coverage')) as unknown as { gaps: Gap[] }
    const { walks } = (await ask(options, '/v1/location-walks')) as unknown as { walks: Walk[] }
    if (options.json) return sayJson({ gaps, walks } as unknown as Json)
    tell(gaps, walks)
  })

const tell = (gaps: readonly Gap[], walks: readonly Walk[]): void => {
  if (gaps.length === 0) say('no gaps are known')
  for (const [what, heading] of Object.entries(headings)) {
    const found = gaps.filter((gap) => gap.what === what)
    if (found.length === 0) continue
    say(`${heading}:`)
    for (const { words } of found) say(`  ${words}`)
  }
  if (walks.length === 0) say('no location walk has been made: see `duress-bridge location-walk`')
  const newest = new Map([...walks].reverse().map((walk) => [walk.unit, walk]))
  if (walks.length > 0) say('Location walks, the newest of each unit:')
  for (const line of table([...newest.values()].map((walk) => [`  ${walk.unit}`, ...scoreWords(walk)])))
    say(line)
}
