import { fork } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { deadline, SystemClock } from '../core/clock.ts'
import type { Connector } from '../core/connector.ts'
import { messageOf } from '../core/error.ts'
import type { Catalogue } from '../core/site/compile.ts'
import { extensionsMax } from '../core/site/config.ts'
import type { Problem } from '../core/site/explain.ts'
import { whyNoConnector } from './declaration.ts'

/** A declaration imports zod and core: 0.3 s. A busy machine may take far longer. */
const importMs = 10_000
/** What a declaration may need when it is tried out; zod and core take 20 MB. */
const heapMb = 128

/** The catalogue with what the config adds to it, and why some of that can't be added. */
export interface Extended {
  readonly catalogue: Catalogue
  readonly problems: readonly Problem[]
}

/** Loads the connectors under `extensions`, paths relative to the config in `file`. Never rejects. */
export const readExtensions = async (value: unknown, file: string, own: Catalogue): Promise<Extended> => {
  const catalogue = new Map(own)
  const problems: Problem[] = []
  const tried = pathsOf(value).map(async ({ index, path }) => {
    const url = pathToFileURL(resolve(dirname(file), path)).href
    return { index, path, url, why: await whyUnfit(url) }
  })
  for (const { index, path, url, why } of await Promise.all(tried)) {
    const found = why ?? (await add(url, catalogue))
    if (found) problems.push({ path: ['extensions', index], message: `${path}: ${found}`, fatal: true })
  }
  return { catalogue, problems }
}

const pathsOf = (value: unknown): { index: number; path: string }[] => {
  const { extensions } = (value ?? {}) as { extensions?: unknown }
  if (!Array.isArray(extensions)) return []
  return extensions
    .slice(0, extensionsMax)
    .flatMap((path: unknown, index) => (typeof path === 'string' && path ? [{ index, path }] : []))
}

/** Imports it once more, now in this thread; what it does there it has done once without harm. */
const add = async (url: string, catalogue: Map<string, Connector>): Promise<string | null> => {
  try {
    const exported = await within(import(url))
    const why = whyNoConnector(exported, url)
    if (why) return why
    const connector = exported.default as Connector
    const { type } = connector
    if (catalogue.get(type)?.extension) return `another extension is of type \`${type}\` already`
    if (catalogue.has(type))
      return `the program has a connector of type \`${type}\` already: choose another name`
    catalogue.set(type, { ...connector, extension: true })
    return null
  } catch (error) {
    return `it can't be imported: ${messageOf(error)}`
  }
}

/** What keeps a module from being an extension, found in a process of its own: it may loop for ever, exit or fill the memory. */
const whyUnfit = async (url: string): Promise<string | null> => {
  const found = await stat(new URL(url)).catch(() => null)
  if (!found?.isFile()) return 'there is no such file beside the config'
  const trial = fork(new URL('./extension-trial.ts', import.meta.url), [url], {
    env: {},
    execArgv: [`--max-old-space-size=${heapMb}`],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const ended = new Promise<string | null>((resolve) => {
    trial.once('message', (why) => resolve(why === null ? null : String(why)))
    trial.once('error', (error) => resolve(`it can't be imported: ${messageOf(error)}`))
    trial.once('exit', (code, signal) => resolve(whyEnded(code, signal)))
  })
  try {
    return await within(ended)
  } catch (error) {
    return messageOf(error)
  } finally {
    trial.kill('SIGKILL')
  }
}

/** Node ends with 13 when a wait at the top level can never end, and aborts when the memory is full. */
const whyEnded = (code: number | null, signal: string | null): string => {
  if (code === 13) return 'its import waits for what never comes'
  if (signal === 'SIGABRT' || code === 134)
    return `its import needs more than ${heapMb} MB of memory: a leak?`
  return `it ends the program when it is imported (${signal ?? `exit code ${code}`})`
}

const within = async <T>(work: Promise<T>): Promise<T> => {
  const limit = deadline(new SystemClock(), importMs)
  const why = `its import does not end within ${importMs / 1_000} s: an endless loop, or a wait at its top level?`
  const late = new Promise<never>((_, reject) => {
    limit.signal.addEventListener('abort', () => reject(new Error(why)))
  })
  return Promise.race([work, late]).finally(() => limit.cancel())
}
