import { pino } from 'pino'
import type { Log } from '../core/connector.ts'

export const levels = ['debug', 'info', 'warn', 'error'] as const

/** Fields that are never written, wherever a careless caller puts them; `*` reaches one level only. */
const secrets = ['password', 'secret', 'token', 'authorization', 'headers', 'bearer'].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
])

/** A reader of the log that does not keep up loses lines, and never holds up a press, bytes. */
const waitingMax = 4 * 1_048_576

/** The log as JSON lines to a file descriptor or a file; `flush` writes what still waits. */
export const openLog = (to: number | string, level: string): { log: Log; flush(): void } => {
  const out = pino.destination({ dest: to, sync: false, maxLength: waitingMax })
  // A full or closed log harms nobody.
  out.on('error', () => {})
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secrets, censor: '[secret]' },
    },
    out,
  )
  return { log, flush: () => out.flushSync() }
}
