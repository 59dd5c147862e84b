import type { Json } from '../fact.ts'
import type { Register } from '../register.ts'

/** Who carries a device, from when to when. Dated, so that a badge that went on to somebody else names nobody wrong. */
export interface Assignment {
  readonly person: string
  /** What the person is by profession. */
  readonly role: string | null
  /** ms since the epoch */
  readonly since: number
  /** ms since the epoch; null: until it is stale. */
  readonly until: number | null
  /** Who assigned it: an account, or the list that it stands in. */
  readonly by: string
}

const kind = 'assignment'

/** Which person has which device. */
export class Assignments {
  readonly #register: Register
  readonly #validMs: number

  /** `validMs`: how long an assignment without an end holds. */
  constructor(register: Register, validMs: number) {
    this.#register = register
    this.#validMs = validMs
  }

  /** Who carries the device now; null: nobody, or nobody knows any more. */
  of(device: string, now: number): Assignment | null {
    const known = this.#register.get<Assignment>(kind, device)
    if (!known || known.since > now) return null
    return now < (known.until ?? known.since + this.#validMs) ? known : null
  }

  all(): ReadonlyMap<string, Assignment> {
    return this.#register.all<Assignment>(kind)
  }

  /** Hands the device to somebody; null takes it back. Resolves when it is on disk, or known not to be. */
  set(device: string, assignment: Assignment | null, by: string) {
    const who = assignment === null ? null : { person: assignment.person, role: assignment.role }
    return this.#register.set(
      [{ kind, name: device, body: assignment as Json | null }],
      [{ what: 'assigned', incident: null, device, by, ...(who ?? { person: null, role: null }) }],
    )
  }

  /** Erases what was over before `before`: a name is kept no longer than the incidents that it may belong to. */
  forget(before: number): void {
    const over = [...this.all()].filter(([, { since, until }]) => (until ?? since + this.#validMs) < before)
    if (over.length === 0) return
    const rows = over.map(([name]) => ({ kind, name, body: null }))
    void this.#register.set(rows, [], { waits: false })
  }

  /** Takes over a list: what is newer than what is known. A device that was given to somebody since keeps them. */
  takeOver(listed: ReadonlyMap<string, Assignment>): void {
    const rows = [...listed].filter(([device, { since }]) => {
      const known = this.#register.get<Assignment>(kind, device)
      return !known || known.since < since
    })
    if (rows.length === 0) return
    void this.#register.set(
      rows.map(([name, body]) => ({ kind, name, body: body as unknown as Json })),
      [{ what: 'assigned.list', incident: null, devices: rows.length }],
      { waits: false },
    )
  }
}
