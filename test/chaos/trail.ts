import { entriesIn } from '../../core/trail/payload.ts'
import type { Violations } from './violations.ts'

/** Follows the trail row by row, in its order, and remembers only what is not over. */
export class TrailWalk {
  readonly #found: Violations
  /** Commands that have no receipt yet. */
  readonly #open = new Set<string>()
  readonly #suppressed = new Set<string>()
  /** Presses that other rows were written before. */
  readonly #presses = new Map<string, string | null>()
  /** When holds ended, by the bridge's clock. */
  readonly ended = new Map<string, number>()
  /** When holds began and ended, of each door. */
  readonly holds = new Map<string, { at: number; is: 1 | -1; hold: string }[]>()
  readonly #live = new Set<string>()
  /** Presses that were only counted, by incident. */
  readonly summarised = new Map<string, number>()
  presses = 0
  receipts = 0
  /** Receipts of commands that were in an earlier file: their rows there have none. */
  readonly late = new Map<string, any>()
  #before = new Set<string>()

  constructor(found: Violations) {
    this.#found = found
  }

  /** Another file goes on. */
  nextFile(): void {
    this.#before = new Set([...this.#before, ...this.#open])
  }

  row(at: number, payload: string): void {
    for (const entry of entriesIn(payload)) this.#entry(at, entry)
  }

  isTold(event: string): boolean {
    return this.#presses.has(event)
  }

  /** Facts in their order: each has its press on the trail, for the same incident. */
  fact(id: string, incident: string | null): void {
    this.#found.looked('recorded')
    const told = this.#presses.get(id)
    if (told === undefined)
      this.#found.add('recorded', 'a fact without its press on the trail', { id, incident })
    else if (told !== incident)
      this.#found.add('recorded', 'a fact of another incident than its press on the trail', {
        id,
        incident,
        told,
      })
    this.#presses.delete(id)
  }

  end(): void {
    for (const command of this.#open)
      this.#found.add('receipt', 'a command without a receipt on the trail', { command })
  }

  #entry(at: number, entry: any): void {
    switch (entry.what) {
      case 'press':
        this.presses++
        if (String(entry.device).startsWith('button-')) this.#presses.set(entry.event, entry.incident)
        break
      case 'summary':
        if (entry.incident)
          this.summarised.set(entry.incident, (this.summarised.get(entry.incident) ?? 0) + entry.count)
        break
      case 'command':
        this.#open.add(entry.command)
        break
      case 'receipt':
        this.receipts++
        if (this.#before.has(entry.command)) this.late.set(entry.command, entry)
        this.#found.looked('receipt')
        if (!this.#open.delete(entry.command) && !this.#isSuppressed(entry))
          this.#found.add('receipt', 'a receipt of no command, or its second', { entry })
        break
      case 'hold':
        this.#hold(at, entry)
        break
    }
  }

  /** What a rule forbids at once has a receipt, and was never a command. */
  #isSuppressed({ command, end, attempts }: { command: string; end: string; attempts: number }): boolean {
    const isFirst = end === 'suppressed' && attempts === 0 && !this.#suppressed.has(command)
    this.#suppressed.add(command)
    return isFirst
  }

  #hold(at: number, { hold, door, ended }: { hold: string; door: string; ended: string | null }): void {
    const turns = this.holds.get(door) ?? []
    this.holds.set(door, turns)
    if (ended === null && !this.#live.has(hold)) {
      this.#live.add(hold)
      turns.push({ at, is: 1, hold })
    }
    if (ended !== null && this.#live.delete(hold)) {
      this.ended.set(hold, at)
      turns.push({ at, is: -1, hold })
    }
  }
}
