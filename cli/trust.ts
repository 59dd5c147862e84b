import { Command } from 'commander'
import type { Config as OpcuaConfig } from '../connectors/opcua/index.ts'
import type { ServerCertificate } from '../connectors/opcua/trust.ts'
import { SystemClock } from '../core/clock.ts'
import { BridgeError } from '../core/error.ts'
import { say, sayJson } from './print.ts'
import { readSite } from './site.ts'

/** How long the server may take to show its certificate, ms. */
const answerMs = 10_000

interface Options {
  readonly config: string
  readonly fingerprint?: string
  readonly yes?: true
  readonly json?: true
}

export default new Command('trust')
  .summary('trust the certificate of a server (OPC UA)')
  .description(
    'Shows the certificate that the server of a connector shows now, and puts it into the trust folder of the connector once it is confirmed. Whoever is between us and the server can show any certificate: compare the fingerprint with what the server itself says.',
  )
  .argument('<connector>', 'name of the connector')
  .requiredOption('--config <file>', 'the config')
  .option('--fingerprint <sha256>', 'trust it if this is its SHA-256 fingerprint')
  .option('--yes', 'trust whatever is shown')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
Without --fingerprint or --yes it only shows, and exits with 1 while the certificate is not trusted.

Examples:
  $ duress-bridge trust ed-plc --config site.yaml
  $ duress-bridge trust ed-plc --config site.yaml --fingerprint 4A:1F:...`,
  )
  .action(async (name: string, options: Options) => {
    const config = await opcuaOf(name, options.config)
    const { certificateIn, fetchCertificate, isTrusted, pin } = await import('../connectors/opcua/trust.ts')
    const shown = await fetchCertificate(config.url, {
      clock: new SystemClock(),
      limitMs: answerMs,
      signal: new AbortController().signal,
    })
    mustBe(shown, options.fingerprint)
    const confirmed = options.yes === true || options.fingerprint !== undefined
    const before = await isTrusted(certificateIn(shown), config)
    const file = confirmed && !before ? await pin(folderOf(name, config), shown) : null
    const trusted = before || file !== null
    if (!trusted) process.exitCode = 1
    if (options.json) sayJson({ connector: name, url: config.url, ...shown, trusted, file })
    else tell(config.url, shown, before, file)
  })

/** The config of a connector by its name. Rejects with UNKNOWN_DEVICE or UNSUPPORTED. */
const opcuaOf = async (name: string, file: string): Promise<OpcuaConfig> => {
  const site = await readSite(file)
  const found = site.connectors.get(name)
  if (!found) throw new BridgeError('UNKNOWN_DEVICE', `there is no connector named ${name}`)
  if (found.connector.type !== 'opcua')
    throw new BridgeError(
      'UNSUPPORTED',
      `${name} is of type ${found.connector.type}: only opcua pins certificates`,
    )
  return found.config as OpcuaConfig
}

const folderOf = (name: string, { trust }: OpcuaConfig): string => {
  if (trust !== undefined) return trust
  throw new BridgeError(
    'BAD_CONFIG',
    `connectors.${name} has no folder \`trust\`: write one, or put the fingerprint into \`fingerprints\``,
  )
}

const mustBe = (shown: ServerCertificate, expected: string | undefined): void => {
  if (expected === undefined || expected.replaceAll(':', '').toLowerCase() === shown.fingerprint) return
  throw new BridgeError(
    'CONFIG_TARGET',
    `the server shows ${shown.fingerprint}, which is not what you expect: nothing is trusted; find out who answers there`,
  )
}

const tell = (url: string, shown: ServerCertificate, before: boolean, file: string | null): void => {
  say(url)
  say(`  subject      ${shown.subject}`)
  say(`  valid until  ${shown.validTo}`)
  say(`  SHA-256      ${shown.fingerprint.toUpperCase().match(/../g)?.join(':')}`)
  if (file !== null) say(`trusted from now on: ${file}`)
  else if (before) say('trusted already')
  else say('NOT trusted: compare the fingerprint with the server, then run this again with --fingerprint')
}
