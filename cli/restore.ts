import { Command } from 'commander'
import { restore } from '../core/store/restore.ts'
import { paint, say, sayJson } from './print.ts'

export default new Command('restore')
  .summary('bring a backup back into an empty data directory')
  .description(
    'Verifies a backup, file by file and row by row, and makes a data directory of it. Never into one that holds records or that a bridge has open. Nothing is in its place before all of it is verified. What was recorded after the backup is not in it: incidents that were open then are open again, with what has not yet expired of their commands.',
  )
  .requiredOption('--from <folder>', 'what `duress-bridge backup` has made')
  .requiredOption('--data <dir>', 'data directory to be; new, or without records')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    '\nExamples:\n  $ duress-bridge restore --from /backup/duress-2026-11-22 --data /var/lib/duress-bridge',
  )
  .action(async ({ from, data, json }: { from: string; data: string; json?: true }) => {
    const { files, ...restored } = await restore(from, data)
    const { at, version, rows, evidence, trailHead } = restored
    if (json) return sayJson({ data, files: Object.keys(files).length, ...restored })
    say(
      `${paint('green', `Restored to ${data}`)}: what version ${version} had recorded until ${new Date(at).toISOString()}`,
    )
    say(`The trail is whole: ${rows} rows, its head is ${trailHead.seq}:${trailHead.chain}`)
    say(`${evidence} pieces of evidence`)
  })
