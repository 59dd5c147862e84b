import type { Input, Output } from './config.ts'

/** A run of addresses of one table; the table is named by the function that reads it: 1 coils, 2 discrete inputs, 3 holding registers, 4 input registers. */
export interface Run {
  readonly read: 1 | 2 | 3 | 4
  readonly address: number
  readonly length: number
}

/** Where a level is: a bit table's address, or one bit of a register. */
export interface Point extends Run {
  /** null: the whole address. */
  readonly bit: number | null
}

/** Everything that is read for one input. */
export interface Reads {
  readonly level: Point
  readonly antivalent: Point | null
  readonly counter: Run | null
}

export const readsOf = (input: Input): Reads => {
  const level: Point =
    input.register === undefined
      ? {
          read: input.coil === undefined ? 2 : 1,
          address: (input.coil ?? input.discrete) as number,
          length: 1,
          bit: null,
        }
      : {
          read: input['register-in'] === 'input' ? 4 : 3,
          address: input.register,
          length: 1,
          bit: input.bit ?? null,
        }
  return {
    level,
    antivalent: input.antivalent === undefined ? null : { ...level, address: input.antivalent },
    counter:
      input.counter === undefined
        ? null
        : { read: input['counter-in'] === 'input' ? 4 : 3, address: input.counter, length: 2 },
  }
}

/** The most that one request may ask for: Modbus Application Protocol 1.1b3, 6.1 to 6.4. */
const most = (read: Run['read']) => (read <= 2 ? 2000 : 125)

/** The fewest requests that read all `runs`; levels come before counters, since a counter read after its level already holds the press that the level shows. */
export const requestsFor = (runs: readonly Run[], maxGap: number): Run[] => {
  const order = (run: Run) => (run.length === 1 ? 0 : 1)
  const sorted = runs.toSorted((a, b) => order(a) - order(b) || a.read - b.read || a.address - b.address)
  const requests: Run[] = []
  for (const run of sorted) {
    const last = requests.at(-1)
    const end = run.address + run.length
    if (
      last?.read === run.read &&
      run.address >= last.address &&
      run.address - (last.address + last.length) <= maxGap &&
      end - last.address <= most(run.read)
    )
      requests[requests.length - 1] = { ...last, length: Math.max(last.length, end - last.address) }
    else requests.push(run)
  }
  return requests
}

const tables = { 1: 'coil', 2: 'discrete input', 3: 'holding register', 4: 'input register' } as const

/** In words: "discrete input 4", "input register 48 bit 3", "input registers 16-17". */
export const inWords = (at: Run | Point): string =>
  at.length === 1
    ? `${tables[at.read]} ${at.address}${'bit' in at && at.bit !== null ? ` bit ${at.bit}` : ''}`
    : `${tables[at.read]}s ${at.address}-${at.address + at.length - 1}`

/** Where an output's relay is read back. */
export const relayOf = (output: Output): Point =>
  output.register === undefined
    ? { read: 1, address: output.coil as number, length: 1, bit: null }
    : { read: 3, address: output.register, length: 1, bit: output.bit as number }
