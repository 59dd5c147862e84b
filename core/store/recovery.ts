import type { Backlog } from './backlog.ts'
import type { Continues } from './disk.ts'
import { encode, type Value } from './encode.ts'
import { type Keys, rowsOf } from './keys.ts'
import type { ChangeSet, TrailHead } from './port.ts'
import type { Transport } from './transport.ts'
import type { Notes } from './unrecorded.ts'

/**
 * Starts a fresh file with all that memory holds: what happened since the last row on disk, the press keys, and what is
 * open now. The file counts only once the last part is in it; until then the backlog stays as it is.
 */
export const renew = async (
  transport: Transport,
  of: Continues,
  backlog: Backlog,
  keys: Keys,
  state: () => readonly ChangeSet[],
  notes: Notes,
): Promise<{ readonly head: TrailHead; readonly file: string }> => {
  await transport.ask({ do: 'renew', of })
  let sent = 0
  // The last bundle still grows.
  for (; sent < backlog.bundles.length - 1; sent++)
    await transport.ask({ do: 'replay', flat: backlog.bundles[sent]!.flat })
  for (const flat of keys.chunks()) await transport.ask({ do: 'replay', flat })
  // From here to the request is one turn: the state fits the end of the backlog exactly.
  backlog.tellGap()
  backlog.seal()
  const count = backlog.bundles.length
  const past = backlog.bundles.slice(sent).flatMap(({ flat }) => flat)
  const written = keys.unfiled()
  // The keys come after the facts that they belong to, and stand in for those that found no room in memory.
  const trail = { incident: null, entries: [] }
  const adopted = { at: of.at, waits: false, register: [notes.adopted], trail }
  const present = encodeState([...state(), adopted]).concat(rowsOf(written))
  const renewed = await transport.ask({ do: 'adopt', past, present, at: of.at })
  backlog.take(count)
  for (const key of written) {
    key.onDisk = true
    key.isFiled = true
  }
  return renewed
}

const encodeState = (sets: readonly ChangeSet[]): Value[] => {
  const flat: Value[] = []
  for (const set of sets) encode({ ...set, trail: { incident: null, entries: [] } }, flat)
  return flat
}
