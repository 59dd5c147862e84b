import { Command, Option } from 'commander'
import { messageOf } from '../core/error.ts'
import { startThread } from '../core/store/thread.ts'
import { keepCompiled } from './compiled.ts'
import { levels, openLog } from './log.ts'
import { paint, say, timeAt } from './print.ts'
import { Running } from './running.ts'
import { onSignals } from './signals.ts'
import { readSite, tellFindings } from './site.ts'
import { Systemd } from './systemd.ts'

interface Options {
  readonly config: string
  readonly data: string
  readonly logLevel: string
}

export default new Command('run')
  .summary('run the bridge')
  .description(
    `Runs the bridge until SIGTERM or SIGINT (a second one exits at once). One line on the standard output says when it is ready; the log, as JSON, goes to the error output.

Under systemd it says when it is ready, that it lives and that it stops (\`Type=notify\`, \`NotifyAccess=all\`, \`WatchdogSec=30\`).

A config with findings starts nothing (exit code 2). An unreachable device never keeps it from starting. Two bridges never share a data directory.

SIGHUP reads the config again. With findings, or when it drops or rewires a door that is held, the running one stays as it is. Else the bridge restarts within this process on the same data: for about a second no input is heard and the API does not answer. Presses that modules count or latch, and those that senders repeat, are taken in afterwards; open incidents keep the config that they began with.`,
  )
  .requiredOption('--config <file>', 'the config')
  .requiredOption('--data <dir>', 'directory for the records; made when it is not there')
  .addOption(new Option('--log-level <level>', 'least level that is logged').choices(levels).default('info'))
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge run --config site.yaml --data /var/lib/duress-bridge
  $ kill -HUP PID       # take over a changed config`,
  )
  .action(run)

async function run({ config, data, logLevel }: Options): Promise<void> {
  const thread = startThread(data)
  const site = await readSite(config, 'all')
  const { log, flush } = openLog(2, logLevel)
  const starting = Running.start({ file: config, data, log, thread }, site)

  // The alarm path outlives a defect beside it; it is loud in the log and among the faults.
  const defect = (error: unknown) => {
    const stack = error instanceof Error ? error.stack : undefined
    log.error({ error: messageOf(error), stack }, 'DEFECT: please report this')
    starting.then(
      ({ machine }) => machine.faults.set('defect', `a defect of the program: ${messageOf(error)}`),
      () => {},
    )
  }
  process.on('uncaughtException', defect)
  process.on('unhandledRejection', defect)

  // Signals are heard from the start on; what they ask for waits for it.
  let turn: Promise<unknown> = starting
  process.on('SIGHUP', () => {
    turn = turn
      .then(async () => reload(await starting, config))
      .catch((error: unknown) => {
        // Neither config could be taken up: whoever supervises the process must know.
        log.error({ error: messageOf(error) }, 'the bridge is down after a reload')
        flush()
        process.exit(1)
      })
  })
  const systemd = new Systemd(process.env, log)
  const ended = onSignals(() => {
    systemd.stopping()
    return turn.then(async () => stop(await starting))
  })

  const running = await starting
  const { url } = running
  say(`ready: ${site.name} at ${url}, data in ${data}`)
  log.info({ revision: site.revision, url }, 'ready')
  systemd.ready(running.machine.clock, `${site.name} at ${url}`, () => running.machine.watch.isLooking)
  keepCompiled()
  await ended
  flush()
  process.exit(0)
}

const reload = async (running: Running, file: string): Promise<void> => {
  const reloaded = await running.reload()
  tellFindings(reloaded.findings, 'all')
  if (reloaded.is === 'refused')
    say(`${paint('red', 'reload refused')}: ${reloaded.why}; the running config stays`)
  else if (reloaded.is === 'unchanged') say(`${file} has not changed`)
  else
    say(
      `reloaded: ${running.machine.site.name}, revision ${running.machine.site.revision}, at ${running.url}`,
    )
}

/** Ends the bridge and names the doors that stay as they are. */
export const stop = async (running: Running): Promise<void> => {
  const { timezone } = running.machine.site
  for (const { door, mode, until } of await running.stop())
    say(
      paint(
        'yellow',
        `${door} stays held (${mode}) until ${timeAt(until, timezone)}: only a running bridge releases it`,
      ),
    )
  say('stopped')
}
