import { DatabaseSync } from 'node:sqlite'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { messageOf } from '../error.ts'

/** How many findings are enough to know. */
const findings = 20

/**
 * Reads a whole file for damage, in a thread of its own on a connection that can't write, since it takes seconds.
 * Resolves with what is wrong, in SQLite's words; empty when nothing is, or when `signal` ends it.
 */
export const checkFile = (path: string, signal: AbortSignal): Promise<readonly string[]> =>
  new Promise((resolve) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { check: path } })
    const end = () => {
      resolve([])
      void worker.terminate()
    }
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    worker.once('message', resolve)
    worker.once('error', (error) => resolve([messageOf(error)]))
    worker.once('exit', (code) => resolve([`the check ended with code ${code}`]))
  })

/** The same in this thread. */
export const quickCheck = (path: string): string[] => {
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 })
    const rows = db.prepare(`PRAGMA quick_check(${findings})`).all()
    db.close()
    return rows.map((row) => String(row['quick_check'])).filter((text) => text !== 'ok')
  } catch (error) {
    return [messageOf(error)]
  }
}

const asked = (workerData as { check?: string } | null)?.check
if (parentPort && asked !== undefined) parentPort.postMessage(quickCheck(asked))
