import { flushCompileCache } from 'node:module'

/** What a start loads is loaded by then, links and all, ms after it is ready. */
const loadedMs = 1_000

/**
 * Writes what V8 has compiled into the cache that main.js opened. Node itself does so only when a program ends in peace: after
 * an update, the start that follows a crash would take twice as long. Where nothing is new it takes a millisecond.
 */
export const keepCompiled = (): void => {
  setTimeout(flushCompileCache, loadedMs).unref()
}
