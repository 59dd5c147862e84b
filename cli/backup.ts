import { rmSync } from 'node:fs'
import { Command } from 'commander'
import { BridgeError } from '../core/error.ts'
import { backUp, unfinished } from '../core/store/backup.ts'
import { paint, say, sayJson } from './print.ts'
import { version } from './version.ts'

export default new Command('backup')
  .summary('back the records up, also while the bridge is running')
  .description(
    'Copies the store, the key of the trail and all evidence into a new folder, and verifies the copy. The bridge may be running: everything recorded before this command began is in the backup. The folder gets its name when it is whole; until then it ends in `.unfinished`. Config and secrets are not in it. It holds names and pictures: keep it as safe as the records, and no longer than they are kept. Exits with 1 when the trail is broken or evidence is damaged, as it then is in the original; the backup is there all the same.',
  )
  .requiredOption('--data <dir>', 'data directory of the bridge')
  .requiredOption('--to <folder>', 'folder to be made; best on another disk')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge backup --data /var/lib/duress-bridge --to /backup/duress-$(date +%F)
  $ duress-bridge restore --from /backup/duress-2026-11-22 --data /var/lib/duress-bridge`,
  )
  .action(async ({ data, to, json }: { data: string; to: string; json?: true }) => {
    const stop = (signal: NodeJS.Signals) => {
      rmSync(unfinished(to), { recursive: true, force: true })
      // As if it had not been heard: an exit would wait for a copy that hangs.
      process.kill(process.pid, signal)
    }
    process.once('SIGTERM', stop)
    process.once('SIGINT', stop)
    const { files, ...backedUp } = await backUp(data, to, { at: Date.now(), version })
    const { bytes, evidence, trailHead, broken, damaged } = backedUp
    if (json) sayJson({ to, files: Object.keys(files).length, ...backedUp })
    else {
      const size = `${(bytes / 1_048_576).toFixed(1)} MB`
      say(`${paint('green', `Backed up to ${to}`)}: ${size}, ${evidence} pieces of evidence`)
      say(`The head of its trail is ${trailHead.seq}:${trailHead.chain}`)
    }
    if (broken === null && damaged.length === 0) return
    process.exitCode = 1
    const wrong = [...(broken === null ? [] : [broken]), ...damaged.map((hash) => `evidence ${hash}`)]
    throw new BridgeError('CHAIN_BROKEN', `in the original and in the backup: ${wrong.join('; ')}`)
  })
