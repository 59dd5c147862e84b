import { Command } from 'commander'
import { type LocatedFinding, loadConfig } from '../config/load.ts'
import { catalogue } from '../connectors/index.ts'
import type { Site } from '../core/site/site.ts'
import { paint, say, sayJson, table } from './print.ts'
import { findingLine } from './site.ts'

export default new Command('check')
  .summary('read a config whole and say everything that is wrong with it')
  .description(
    'Reads a config whole, checks it by itself and against each connector, and says everything that is wrong with it, with file, line and column. Nothing is connected. Exits with 2 when the config may not run.',
  )
  .argument('<file>', 'the config')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge check site.yaml
  $ duress-bridge check config/demo/site.yaml --json`,
  )
  .action(async (file: string, { json }: { json?: true }) => {
    const { site, findings } = await loadConfig(file, catalogue)
    if (!site) process.exitCode = 2
    if (json) sayJson({ ok: site !== null, findings, ...(site ? summaryOf(site, findings) : {}) })
    else {
      for (const finding of findings)
        if (finding.fatal) say(paint('red', findingLine(finding)))
        else if (!isPress(finding)) say(findingLine(finding))
      if (site) tellSummary(file, site, findings)
      else
        say(
          `\n${file} may not run: ${count(findings.filter(({ fatal }) => fatal).length, 'finding')} to correct.`,
        )
    }
  })

/** What a connector says of the shortest press that an input is sure to see stands in the summary. */
const isPress = ({ path, message }: LocatedFinding): boolean =>
  path[0] === 'devices' && path[2] === 'input' && message.startsWith('sure to see')

const isSecret = ({ message }: LocatedFinding): boolean => message.endsWith('(on this machine)')

const summaryOf = (site: Site, findings: readonly LocatedFinding[]) => ({
  site: site.name,
  revision: site.revision,
  places: site.places.size,
  devices: site.devices.size,
  responders: site.responders.size,
  plans: site.plans.map(({ name }) => name),
  inputs: Object.fromEntries(findings.filter(isPress).map(({ path, message }) => [String(path[1]), message])),
  secretsMissing: findings.filter(isSecret).length,
})

const tellSummary = (file: string, site: Site, findings: readonly LocatedFinding[]): void => {
  const { places, devices, responders, plans, inputs, secretsMissing } = summaryOf(site, findings)
  say(`\n${paint('green', `${file} may run`)}: ${site.name}, revision ${site.revision}`)
  say(
    `  ${count(places, 'place')}, ${count(devices, 'device')}, ${count(responders, 'responder')}, ${count(plans.length, 'plan')}: ${plans.join(', ')}`,
  )
  const rows = Object.entries(inputs)
  if (rows.length > 0) say('\nShortest press that each input is sure to see:')
  for (const line of table(rows)) say(`  ${line}`)
  if (secretsMissing > 0)
    say(`\n${paint('yellow', `${count(secretsMissing, 'secret')} not on this machine`)}, as listed above`)
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`
