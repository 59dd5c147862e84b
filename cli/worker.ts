import { Command, InvalidArgumentError, Option } from 'commander'
import { resolveSecret } from '../config/secret.ts'
import { catalogue } from '../connectors/index.ts'
import { SystemClock } from '../core/clock.ts'
import { BridgeError, messageOf } from '../core/error.ts'
import { redisCarrier } from '../core/runner/redis.ts'
import { readKey, Seal } from '../core/runner/seal.ts'
import { Worker } from '../core/runner/worker.ts'
import { keepCompiled } from './compiled.ts'
import { levels, openLog } from './log.ts'
import { say } from './print.ts'
import { readTls } from './queue.ts'
import { onSignals } from './signals.ts'
import { Systemd } from './systemd.ts'

/** What is on its way gets this long to end when the worker is stopped, ms. */
const stopMs = 1_500

interface Options {
  readonly name: string
  readonly key: string
  readonly redis: string
  readonly redisPasswordFile?: string
  readonly ca?: string
  readonly cert?: string
  readonly certKey?: string
  readonly namespace: string
  readonly logLevel: string
}

const redisUrl = (text: string): string => {
  if (!/^rediss?:\/\/[^\s]+$/.test(text))
    throw new InvalidArgumentError('write redis://USER@HOST:PORT, or rediss://')
  if (/:\/\/[^@/]*:[^@/]*@/.test(text))
    throw new InvalidArgumentError('take the password out of the URL: --redis-password-file FILE')
  return text
}

export default new Command('worker')
  .summary('act on the outputs of a bridge from another machine')
  .description(
    `Runs the outputs of those connectors that name this worker in \`runs-on\`. It takes sealed orders out of Redis and says how they ended; it needs no config: what to open it learns from the bridge. Secrets that a connector refers to ({ env: NAME }, { file: PATH }) are looked up on this machine.

It starts nothing that is late: an order that it could not start within half a second goes another way. Inputs, planning and fire stay in the bridge. One line on the standard output says when it takes orders; the log, as JSON, goes to the error output. SIGTERM and SIGINT let what is on its way end.`,
  )
  .requiredOption('--name <name>', 'its name in the config of the bridge, under `queue.workers`')
  .requiredOption(
    '--key <file>',
    'file with the key that it shares with the bridge: 32 bytes in base64, one line',
  )
  .requiredOption('--redis <url>', 'redis://USER@HOST:PORT, or rediss:// for TLS', redisUrl)
  .option('--redis-password-file <file>', 'file with the password of the Redis user')
  .option('--ca <file>', 'certificates that are trusted for rediss://, PEM; default: those of the system')
  .option('--cert <file>', 'our own certificate, PEM')
  .option('--cert-key <file>', 'the private key of our own certificate, PEM')
  .option('--namespace <name>', "as the bridge's `queue.namespace`", 'duress-bridge')
  .addOption(new Option('--log-level <level>', 'least level that is logged').choices(levels).default('info'))
  .addHelpText(
    'after',
    `
Examples:
  $ openssl rand -base64 32 > edge-1.key      # the same file on the bridge
  $ duress-bridge worker --name edge-1 --key edge-1.key --redis rediss://edge-1@redis.example.org`,
  )
  .action(work)

async function work(options: Options): Promise<void> {
  const { name, redis: url, namespace } = options
  const { log, flush } = openLog(2, options.logLevel)
  const seal = new Seal(await keyIn(options.key), name, 'worker')
  const password = options.redisPasswordFile && (await resolveSecret({ file: options.redisPasswordFile }))
  const paths = { ca: options.ca, cert: options.cert, key: options.certKey }
  const tls = url.startsWith('rediss:') ? await readTls(paths) : undefined
  const clock = new SystemClock()
  const carrier = redisCarrier({ url, namespace, password, tls }, clock, log)
  const worker = new Worker({
    name,
    seal,
    carrier,
    catalogue,
    clock,
    log,
    secret: resolveSecret,
    random: Math.random,
  })
  // One connector's defect does not take the outputs of the others along.
  const defect = (error: unknown) => {
    const stack = error instanceof Error ? error.stack : undefined
    log.error({ error: messageOf(error), stack }, 'DEFECT: please report this')
  }
  process.on('uncaughtException', defect)
  process.on('unhandledRejection', defect)
  const systemd = new Systemd(process.env, log)
  const ended = onSignals(async () => {
    systemd.stopping()
    await worker.stop(stopMs)
    await carrier.close()
  })
  worker.start()
  say(`ready: worker ${name}, waiting for orders at ${url}`)
  systemd.ready(clock, `worker ${name}`, () => true)
  keepCompiled()
  await ended
  say('stopped')
  flush()
  process.exit(0)
}

const keyIn = async (file: string): Promise<Buffer> => {
  const text = await resolveSecret({ file })
  try {
    return readKey(text)
  } catch (error) {
    throw new BridgeError('SECRET_MISSING', `${file}: ${messageOf(error)}`)
  }
}
