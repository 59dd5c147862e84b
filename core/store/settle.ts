import type { Repeat } from './apply.ts'
import { actNow, type Bundle, type Waiting } from './backlog.ts'
import type { Keys } from './keys.ts'
import type { Applied } from './sqlite.ts'

/** Tells everybody of a batch that is on disk. */
export const settleAll = ({ sets }: Bundle, { refused, repeated }: Applied, keys: Keys): void => {
  const whyRefused = new Map(refused)
  const byWhom = new Map(repeated)
  for (let index = 0; index < sets.length; index++) {
    const waiting = sets[index]
    if (waiting) settleOne(waiting, whyRefused.get(index), byWhom.get(index), keys)
  }
}

const settleOne = (
  waiting: Waiting,
  why: string | undefined,
  repeat: Repeat | undefined,
  keys: Keys,
): void => {
  const { key, settle } = waiting
  if (why !== undefined) {
    if (key && !waiting.repeats) keys.remove(key)
    settle({ recorded: false, because: 'refused', why })
    return
  }
  if (key) key.onDisk = true
  if (repeat) {
    const [id, incident, answer] = repeat
    settle({ recorded: true, duplicate: { id, incident, answer: JSON.parse(answer) } })
    return
  }
  actNow(waiting)
  settle({ recorded: true })
}
