import { Command, CommanderError } from 'commander'
import { BridgeError, errors, messageOf } from '../core/error.ts'
import { version } from './version.ts'

/** Loaded only when asked for, so that `check` brings no server along. */
const commands: { readonly [name: string]: () => Promise<{ readonly default: Command }> } = {
  demo: () => import('./demo.ts'),
  run: () => import('./run.ts'),
  worker: () => import('./worker.ts'),
  check: () => import('./check.ts'),
  probe: () => import('./probe.ts'),
  trust: () => import('./trust.ts'),
  press: () => import('./press.ts'),
  doors: () => import('./doors.ts'),
  devices: () => import('./devices.ts'),
  'walk-test': () => import('./walk-test.ts'),
  service: () => import('./maintenance.ts'),
  register: () => import('./register.ts'),
  coverage: () => import('./coverage.ts'),
  'location-walk': () => import('./location-walk.ts'),
  privacy: () => import('./privacy.ts'),
  trail: () => import('./trail.ts'),
  backup: () => import('./backup.ts'),
  restore: () => import('./restore.ts'),
  healthy: () => import('./healthy.ts'),
  schema: () => import('./schema.ts'),
}

const program = new Command('duress-bridge')
  .description(
    'Bridge from panic buttons, duress codes and badges to cameras, doors and paging, with a receipt for every command.',
  )
  .version(version)
  .exitOverride()
  .showSuggestionAfterError()
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge demo                                    a hospital on this machine, to try it out
  $ duress-bridge check site.yaml                         is this config right?
  $ duress-bridge run --config site.yaml --data ./data    the bridge itself

Exit codes: 0 ok, 1 something failed, 2 wrong usage or config. DURESS_DEBUG=1 shows where an error came from.`,
  )

const add = (command: Command): void => {
  command.copyInheritedSettings(program)
  for (const inner of command.commands) inner.copyInheritedSettings(program)
  program.addCommand(command)
}

/** One line that says what went wrong, where, and what to do. */
const tell = (error: unknown): void => {
  const advice = error instanceof BridgeError ? ` [${error.code}] ${errors[error.code].do}` : ''
  process.stderr.write(`duress-bridge: ${messageOf(error)}${advice}\n`)
  if (process.env['DURESS_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`)
}

// Whoever reads us may have heard enough: `duress-bridge trail … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

try {
  const wanted = process.argv[2] ?? ''
  const names = Object.hasOwn(commands, wanted) ? [wanted] : Object.keys(commands)
  for (const name of names) add((await commands[name]!()).default)
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    tell(error)
    // Whatever was opened before it went wrong would keep the process alive.
    process.exit(error instanceof BridgeError && error.code === 'BAD_CONFIG' ? 2 : 1)
  }
}
