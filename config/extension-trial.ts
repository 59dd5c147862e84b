import { messageOf } from '../core/error.ts'
import { whyNoConnector } from './declaration.ts'

/** Tries out what an extension does when it is imported, in a process of its own. Says what is wrong; null: nothing. */
const url = process.argv[2] as string
const why = await import(url).then(
  (exported) => whyNoConnector(exported, url),
  (error: unknown) => `it can't be imported: ${messageOf(error)}`,
)
process.send?.(why, () => process.exit())
