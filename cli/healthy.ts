import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { Command } from 'commander'
import { BridgeError, messageOf } from '../core/error.ts'
import { defaultUrl } from './client.ts'
import { say } from './print.ts'

/** A process that does not answer itself within this time is none, ms. */
const answerMs = 4_000

export default new Command('healthy')
  .summary('whether the bridge on this machine lives; for containers and watchers')
  .description(
    'Asks a bridge on this machine whether it lives, and says nothing of its disk or devices: /readyz does. Exits with 1 when it does not answer. The certificate is not looked at: nothing is told or believed that a stranger could use.',
  )
  .option(
    '--url <url>',
    `where its API listens; default: the environment variable DURESS_URL, or ${defaultUrl}`,
  )
  .addHelpText('after', '\nExamples:\n  $ duress-bridge healthy --url https://127.0.0.1:8443')
  .action(async ({ url = process.env['DURESS_URL'] ?? defaultUrl }: { url?: string }) => {
    if (!URL.canParse('/healthz', url)) throw new BridgeError('BAD_REQUEST', `--url ${url} is no address`)
    const status = await statusOf(new URL('/healthz', url))
    if (status !== 200) throw new BridgeError('BAD_ANSWER', `${url} answered ${status}`)
    say('alive')
  })

/** By node:http, which loads in a tenth of the time that fetch takes: it is asked every few seconds. */
const statusOf = (url: URL): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestHttps : requestHttp
    const options = { agent: false, timeout: answerMs, rejectUnauthorized: false }
    const asked = request(url, options, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    asked.once('timeout', () => asked.destroy(new Error(`no answer within ${answerMs} ms`)))
    asked.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code ?? messageOf(cause)
      reject(new BridgeError('UNREACHABLE', `no bridge answers at ${url.origin}: ${why}`, { cause }))
    })
    asked.end()
  })
