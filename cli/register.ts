import { readFile, writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { BridgeError, messageOf } from '../core/error.ts'
import { askText, Declined, defaultUrl, type Reach, sendCsv } from './client.ts'
import { say, sayJson } from './print.ts'

interface Options extends Reach {
  readonly json?: true
}

const path = '/v1/register.csv'

const reached = (command: Command): Command =>
  command
    .option('--url <url>', `address of a running bridge (default: ${defaultUrl})`)
    .option('--token-env <name>', 'environment variable that holds the API token')

const exporting = reached(new Command('export'))
  .summary('the test register as CSV')
  .argument('[file]', 'where to; default: the standard output')
  .action(async (file: string | undefined, options: Options) => {
    const text = await askText(options, path)
    if (file === undefined) process.stdout.write(text)
    else
      await writeFile(file, text).catch((error: unknown) => {
        throw new BridgeError('STORE_FAILED', `${file} can't be written: ${messageOf(error)}`, {
          cause: error,
        })
      })
  })

const importing = reached(new Command('import'))
  .summary('takes in tests that were written down elsewhere; all of them, or none')
  .argument('<file>', 'CSV with the columns device, at, by and note')
  .option('--json', 'machine-readable')
  .action(async (file: string, options: Options) => {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw new BridgeError('BAD_REQUEST', `${file} can't be read: ${messageOf(error)}`, { cause: error })
    })
    const answer = await sendCsv(options, path, text).catch((error: unknown) => {
      if (error instanceof Declined)
        for (const { line, message } of error.problems) process.stderr.write(`${file}:${line}: ${message}\n`)
      throw error
    })
    if (options.json) return sayJson(answer)
    const { taken, older } = answer as { taken: number; older: number }
    say(`${taken} tests taken in${older > 0 ? `; ${older} left, since newer ones are known` : ''}`)
  })

export default new Command('register')
  .summary('the test register, out and in')
  .description(
    'Which device was proven when, by whom and how: by a walk test, a drill, a real press, or by the word of somebody whose list was taken in.',
  )
  .addCommand(exporting)
  .addCommand(importing)
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge register export register.csv
  $ duress-bridge register import tests-of-november.csv`,
  )
