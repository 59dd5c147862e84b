import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../core/error.ts'
import { whyNoConnector } from './declaration.ts'

/** Tries out what an extension does when it is imported, where it can harm nobody. Says what is wrong; null: nothing. */
const url = workerData as string
const why = await import(url).then(
  (exported) => whyNoConnector(exported, url),
  (error: unknown) => `it can't be imported: ${messageOf(error)}`,
)
parentPort?.postMessage(why)
