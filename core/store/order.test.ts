import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SimulatedClock } from '../clock.ts'
import { readTrailKey } from '../trail/key.ts'
import { verifyTrail } from '../trail/verify.ts'
import { storeFiles } from './files.ts'
import { directory, options } from './fixtures/sets.ts'
import { inlineStore } from './inline.ts'
import type { ChangeSet, Committed, Store } from './port.ts'
import { Reader } from './reader.ts'

type Move =
  | { readonly is: 'commit'; readonly sets: number; readonly waits: boolean; readonly turn: boolean }
  | { readonly is: 'pass'; readonly ms: number }
  | { readonly is: 'spoil' }
  | { readonly is: 'restart' }
  | { readonly is: 'repeat' }

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      is: fc.constant('commit' as const),
      sets: fc.integer({ min: 1, max: 8 }),
      waits: fc.boolean(),
      turn: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('pass' as const), ms: fc.nat(2_500) }) },
  { weight: 2, arbitrary: fc.constantFrom({ is: 'spoil' as const }, { is: 'repeat' as const }) },
  { weight: 1, arbitrary: fc.constant({ is: 'restart' as const }) },
)

/** Drives a store as the moves say, and remembers what it was told of each numbered press. */
class Run {
  readonly #dir: string
  readonly #clock = new SimulatedClock()
  #store: Store
  #count = 0
  readonly told = new Map<number, Promise<Committed>>()
  readonly acts: number[] = []

  constructor(dir: string) {
    this.#dir = dir
    this.#store = this.#make()
  }

  #make(): Store {
    return inlineStore(options(this.#dir, { clock: this.#clock }).all)
  }

  async start(): Promise<void> {
    await this.#store.open()
  }

  async move(move: Move): Promise<void> {
    if (move.is === 'pass') await this.#clock.advance(move.ms)
    else if (move.is === 'spoil') this.#spoil()
    else if (move.is === 'repeat') await this.#repeat()
    else if (move.is === 'restart') await this.#restart()
    else {
      for (let n = 0; n < move.sets; n++) this.#commit(move.waits)
      if (move.turn) await this.#clock.settle()
    }
  }

  async #restart(): Promise<void> {
    await this.end()
    this.#store = this.#make()
    await this.start()
  }

  #set(n: number, waits: boolean): ChangeSet {
    const fact = { source: 'panel', key: `${n}`, id: `f${n}`, incident: null, answer: n, body: n }
    const trail = { incident: null, entries: [{ n }] }
    return { at: this.#clock.now(), waits, fact, register: [{ kind: 'k', name: 'd', body: n }], trail }
  }

  #commit(waits: boolean): void {
    const n = ++this.#count
    this.told.set(
      n,
      this.#store.commit(this.#set(n, waits), () => this.acts.push(n)),
    )
  }

  /** The newest press comes in again. */
  async #repeat(): Promise<void> {
    const n = this.#count
    if (n === 0 || !this.#store.answered('panel', `${n}`)) return
    const again = this.#store.commit(this.#set(n, true), () => this.acts.push(-n))
    await this.#clock.advance(50)
    expect(await again).toMatchObject({ duplicate: { id: `f${n}`, answer: n } })
  }

  /** From here on every transaction fails: a table is gone. */
  #spoil(): void {
    const db = new DatabaseSync(storeFiles(this.#dir).at(-1)!)
    db.exec('DROP TABLE IF EXISTS register')
    db.close()
  }

  async end(): Promise<void> {
    const closed = this.#store.close()
    await this.#clock.settle()
    await closed
  }
}

/** The numbers on the trail, through all files. */
const onTrail = (dir: string): number[] => {
  const files = storeFiles(dir)
  const numbers: number[] = []
  for (const file of files) {
    const reader = Reader.open(file)
    for (let from = 1; ; ) {
      const rows = reader.trail(from, 1_000)
      for (const { entries } of rows) {
        const { n } = entries![0] as { n?: number }
        if (n !== undefined) numbers.push(n)
      }
      if (rows.length < 1_000) break
      from = rows.at(-1)!.seq + 1
    }
    reader.close()
  }
  return numbers
}

test('whatever fails in between: the chain holds, the order stays, nothing recorded is missing, nothing is there twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 3, maxLength: 25 }), async (moves) => {
      const dir = directory()
      try {
        const run = new Run(dir.path)
        await run.start()
        for (const one of moves) await run.move(one)
        await run.end()
        const numbers = onTrail(dir.path)
        const recorded: number[] = []
        for (const [n, told] of run.told) if ((await told).recorded) recorded.push(n)
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
        expect(recorded.filter((n) => !numbers.includes(n))).toEqual([])
        // Every press is responded to exactly once, and in order.
        expect(run.acts).toEqual([...run.told.keys()])
        expect(verifyTrail(storeFiles(dir.path), readTrailKey(dir.path)!)).toMatchObject({
          broken: null,
          afterFailure: 0,
        })
      } finally {
        dir.remove()
      }
    }),
    { numRuns: 60 },
  )
})
