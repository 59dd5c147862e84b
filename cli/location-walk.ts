import { Command } from 'commander'
import type { LocationWalk, Score } from '../core/location/walk.ts'
import { ask, defaultUrl, type Reach } from './client.ts'
import { say, sayJson } from './print.ts'

interface Options extends Reach {
  readonly json?: true
}

/** A walk as the API tells it. */
export type Walk = LocationWalk & { readonly score: Score }

/** The score of a walk, for the cells of a table. */
export const scoreWords = ({ score: { right, rooms, lagMs } }: Walk): string[] => [
  `${right} of ${rooms} rooms right`,
  lagMs === null ? '' : `half within ${(lagMs / 1_000).toFixed(1)} s`,
]

export default new Command('location-walk')
  .summary('how exactly units locate, room by room')
  .description(
    'A tester carries one badge through a unit and taps each room on the page /walk of the bridge, on a phone; where the badge is reported, against where the tester is, and how long that takes, makes the score of the unit. This says where the page is, and lists the walks that were made, with every room that was not right.',
  )
  .option('--url <url>', `address of a running bridge (default: ${defaultUrl})`)
  .option('--token-env <name>', 'environment variable that holds the API token')
  .option('--json', 'machine-readable')
  .action(async (options: Options) => {
    const { walks } = (await ask(options, '/v1/location-walks')) as unknown as { walks: Walk[] }
    if (options.json) return sayJson({ walks })
    say(`the page: ${new URL('/walk', options.url ?? defaultUrl)}`)
    if (walks.length === 0) say('no walk has been made yet')
    for (const walk of walks) tell(walk)
  })

const tell = (walk: Walk): void => {
  const { wrong, missing } = walk.score
  say(
    `${new Date(walk.startedAt).toISOString()} ${walk.unit}: ${scoreWords(walk).filter(Boolean).join(', ')}`,
  )
  for (const { place, reported } of wrong) say(`  ${place}: reported ${reported ?? 'nowhere'}`)
  for (const place of missing) say(`  ${place}: not tried`)
}
