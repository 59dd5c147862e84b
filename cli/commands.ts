#!/usr/bin/env -S node --max-semi-space-size=8
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { version } from './cli/version.ts'
import { BridgeError, errors, messageOf } from './core/error.ts'

// V8 lets what is young grow to 64 MB before it looks; 8 MB cost no time that could be measured (docs/bench.md).
// Starts in half the time, threads included, which inherit the variable. Beside the packages, where nobody writes who
// may not change the program itself.
process.env['NODE_COMPILE_CACHE'] = join(import.meta.dirname, 'node_modules', '.cache', 'duress-bridge')
enableCompileCache(process.env['NODE_COMPILE_CACHE'])

/** Loaded only when asked for, so that `check` brings no server along. */
const commands: { readonly [name: string]: () => Promise<{ readonly default: Command }> } = {
  demo: () => import('./cli/demo.ts'),
  run: () => import('./cli/run.ts'),
  worker: () => import('./cli/worker.ts'),
  check: () => import('./cli/check.ts'),
  probe: () => import('./cli/probe.ts'),
  trust: () => import('./cli/trust.ts'),
  press: () => import('./cli/press.ts'),
  doors: () => import('./cli/doors.ts'),
  devices: () => import('./cli/devices.ts'),
  'walk-test': () => import('./cli/walk-test.ts'),
  service: () => import('./cli/maintenance.ts'),
  register: () => import('./cli/register.ts'),
  coverage: () => import('./cli/coverage.ts'),
  'location-walk': () => import('./cli/location-walk.ts'),
  privacy: () => import('./cli/privacy.ts'),
  trail: () => import('./cli/trail.ts'),
  backup: () => import('./cli/backup.ts'),
  restore: () => import('./cli/restore.ts'),
  healthy: () => import('./cli/healthy.ts'),
  schema: () => import('./cli/schema.ts'),
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
