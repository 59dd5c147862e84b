import type { LocatedFinding } from '../config/load.ts'
import { loadConfig } from '../config/load.ts'
import { catalogue } from '../connectors/index.ts'
import { BridgeError } from '../core/error.ts'
import type { Site } from '../core/site/site.ts'
import { paint } from './print.ts'

/** One line: `file:line:column: what is wrong and what would be right`. */
export const findingLine = ({ file, line, column, message, fatal }: LocatedFinding): string =>
  `${file}:${line}:${column}: ${fatal ? '' : 'advice: '}${message}`

/** Tells all findings on the error output, or only those that keep it from running. */
export const tellFindings = (findings: readonly LocatedFinding[], which: 'all' | 'fatal'): void => {
  for (const finding of findings) {
    if (!finding.fatal && which === 'fatal') continue
    const line = findingLine(finding)
    process.stderr.write(`${finding.fatal ? paint('red', line, process.stderr) : line}\n`)
  }
}

/** The site of a config that may run. Rejects with BAD_CONFIG once its findings are told. */
export const readSite = async (file: string, which: 'all' | 'fatal' = 'fatal'): Promise<Site> => {
  const { site, findings } = await loadConfig(file, catalogue)
  tellFindings(findings, which)
  if (site) return site
  const fatal = findings.filter((finding) => finding.fatal).length
  throw new BridgeError(
    'BAD_CONFIG',
    `${file} has ${fatal === 1 ? 'a finding' : `${fatal} findings`}; nothing is started`,
  )
}
