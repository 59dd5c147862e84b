import assert from 'node:assert/strict'
import { until } from './wait.ts'

/** What a runner of tests opens for itself now and then. */
const notOurs = new Set([
  'Immediate',
  'TickObject',
  'FSReqCallback',
  'FSReqPromise',
  'PipeWrap',
  'MessagePort',
])
const leftMs = 3_000

/** Runs a case: nothing may be thrown outside of it, and nothing stay open behind it. */
export const guarded = async (work: () => Promise<void>): Promise<void> => {
  const thrown: unknown[] = []
  const take = (error: unknown) => void thrown.push(error)
  process.on('unhandledRejection', take)
  process.on('uncaughtException', take)
  const before = open()
  try {
    await work()
    await until(
      () => grown(before).length === 0,
      () => `nothing stays open, but there are more: ${grown(before).join(', ')}`,
      leftMs,
    )
    assert.deepEqual(thrown, [], 'nothing is thrown where nobody catches it')
  } finally {
    process.off('unhandledRejection', take)
    process.off('uncaughtException', take)
  }
}

const open = (): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo())
    if (!notOurs.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

const grown = (before: ReadonlyMap<string, number>): string[] =>
  [...open()].filter(([kind, count]) => count > (before.get(kind) ?? 0)).map(([kind]) => kind)
