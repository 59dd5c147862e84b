import type { Repeat } from './apply.ts'
import { actNow, type Bundle, type Waiting } from './backlog.ts'
import type { Keys } from './keys.ts'
import type { Applied } from './sqlite.ts'

/** Tells everybody of a bundle that is on disk; `isFiled`: in the store's file, and not only in the journal. */
export const settleAll = (
  { sets }: Bundle,
  { refused, repeated }: Omit<Applied, 'head'>,
  keys: Keys,
  isFiled: boolean,
): void => {
  const whyRefused = new Map(refused)
  const byWhom = new Map(repeated)
  for (let index = 0; index < sets.length; index++) {
    const waiting = sets[index]
    if (waiting) settleOne(waiting, whyRefused.get(index), byWhom.get(index), { keys, isFiled })
  }
}

/** Those of a bundle that repeat what came just before them; memory knows, without a file. */
export const repeatsIn = ({ sets }: Bundle): (readonly [index: number, by: Repeat])[] =>
  sets.flatMap((waiting, index) => {
    if (!waiting?.repeats || !waiting.key) return []
    const { id, incident, answer } = waiting.key
    return [[index, [id, incident, JSON.stringify(answer)]] as const]
  })

const settleOne = (
  waiting: Waiting,
  why: string | undefined,
  repeat: Repeat | undefined,
  { keys, isFiled }: { keys: Keys; isFiled: boolean },
): void => {
  const { key, settle } = waiting
  if (why !== undefined) {
    if (key && !waiting.repeats) keys.remove(key)
    settle({ recorded: false, because: 'refused', why })
    return
  }
  if (key) {
    key.onDisk = true
    key.isFiled ||= isFiled
  }
  if (repeat) {
    const [id, incident, answer] = repeat
    settle({ recorded: true, duplicate: { id, incident, answer: JSON.parse(answer) } })
    return
  }
  actNow(waiting)
  settle({ recorded: true })
}
