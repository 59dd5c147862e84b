import { availableParallelism, loadavg } from 'node:os'
import { median } from './figures.ts'
import type { Figures } from './measures.ts'

/** One measurement of one contender in one round. */
export interface Measured {
  readonly name: string
  readonly what: string
  /** Load average of the machine when it was over. */
  readonly load: number
  readonly figures: Figures
}

/** Whether the worst of the rounds counts, as with what must never be, or the middle one. */
type Choice = 'median' | 'worst'

interface Row {
  readonly title: string
  readonly what: string
  readonly key: string
  readonly unit: string
  readonly choice: Choice
}

const row = (title: string, what: string, key: string, unit: string, choice: Choice = 'median'): Row => ({
  title,
  what,
  key,
  unit,
  choice,
})

const rows: readonly Row[] = [
  row('20 presses/s, p50', 'pace', 'p50', 'ms'),
  row('20 presses/s, p99', 'pace', 'p99', 'ms'),
  row('storm of 500, presses/s', 'pace', 'stormPerSecond', '/s'),
  row('storm of 500, p99', 'pace', 'stormP99', 'ms'),
  row('sustained, presses/s', 'pace', 'sustained', '/s'),
  row('  processor time of all its programs, a press', 'pace', 'cpuPerPress', 'ms'),
  row('presses refused', 'pace', 'refused', '', 'worst'),
  row('commands missing', 'pace', 'missing', '', 'worst'),
  row('commands doubled', 'pace', 'doubled', '', 'worst'),
  row('kill -9 of all but Redis: complete after', 'crash', 'completeS', 's', 'worst'),
  row('  presses lost', 'crash', 'lost', '', 'worst'),
  row('  commands doubled', 'crash', 'doubled', '', 'worst'),
  row('  with one target down: presses lost', 'crash', 'downLost', '', 'worst'),
  row('    complete after', 'crash', 'downCompleteS', 's', 'worst'),
  row('kill -9 of Redis too: complete after', 'crash with Redis', 'completeS', 's', 'worst'),
  row('  presses lost', 'crash with Redis', 'lost', '', 'worst'),
  row('  commands doubled', 'crash with Redis', 'doubled', '', 'worst'),
  row('one target hangs: p99 of the nine without', 'targets', 'calmP99', 'ms'),
  row('  p99 of the nine meanwhile', 'targets', 'hangingP99', 'ms'),
  row('  requests open on it, most', 'targets', 'hangingOpen', '', 'worst'),
  row('  all told after it answers', 'targets', 'hangingAllS', 's', 'worst'),
  row('  commands missing', 'targets', 'hangingMissing', '', 'worst'),
  row('one target refuses: all told after it is back', 'targets', 'refusingAllS', 's', 'worst'),
  row('  commands missing', 'targets', 'refusingMissing', '', 'worst'),
]

const show = (value: number, unit: string): string => {
  if (Number.isNaN(value)) return ''
  if (value === Number.POSITIVE_INFINITY) return 'never'
  const digits = unit === '' || value >= 100 ? 0 : value >= 10 ? 1 : 2
  return `${value.toFixed(digits)}${unit === '' ? '' : ` ${unit}`}`
}

/** Prints the table, the goals and one line of JSON, in which `never` is null. A goal that is missed is no error. */
export const report = (
  measured: readonly Measured[],
  titles: ReadonlyMap<string, string>,
  run: { quick: boolean; seconds: number },
): void => {
  const values = (name: string, what: string, key: string): number[] =>
    measured
      .filter((one) => one.name === name && one.what === what)
      .map(({ figures }) => figures[key] as number)
  const value = (name: string, what: string, key: string, choice: Choice = 'median'): number => {
    const all = values(name, what, key)
    return all.length === 0 ? Number.NaN : choice === 'median' ? median(all) : Math.max(...all)
  }
  /** The middle of the ratios of rounds; NaN where one of the two was not measured. */
  const ratio = (name: string, other: string, key: string): number => {
    const others = values(other, 'pace', key)
    return median(values(name, 'pace', key).map((one, round) => one / (others[round] ?? Number.NaN)))
  }

  const there = [...titles].filter(([name]) => measured.some((one) => one.name === name))
  console.log(`${''.padEnd(47)}${there.map(([, title]) => title.padStart(12)).join('')}`)
  for (const { title, what, key, unit, choice } of rows) {
    const cells = there.map(([name]) => show(value(name, what, key, choice), unit))
    if (cells.some(Boolean))
      console.log(`${title.padEnd(47)}${cells.map((cell) => cell.padStart(12)).join('')}`)
  }

  const ours = [...titles.keys()].filter((name) => name === 'inline' || name === 'workers')
  const goals = [
    goal('sustained, against Node-RED', ratio('inline', 'node-red', 'sustained'), '≥', 3, '×'),
    goal('sustained, against the naive', ratio('inline', 'naive', 'sustained'), '≥', 4, '×'),
    goal('by workers: sustained, against the naive', ratio('workers', 'naive', 'sustained'), '≥', 1.5, '×'),
    goal('by workers: p99, against the naive', ratio('workers', 'naive', 'p99'), '≤', 1, '×'),
    ...ours.flatMap((name) => {
      const by = name === 'workers' ? 'by workers: ' : ''
      const crashes = [
        ['crash', 'kill -9'],
        ['crash with Redis', 'kill -9 with Redis'],
      ] as const
      return [
        ...crashes.flatMap(([what, title]) => [
          goal(`${by}${title}: complete`, value(name, what, 'completeS', 'worst'), '≤', 2, 's'),
          goal(`${by}${title}: presses lost`, value(name, what, 'lost', 'worst'), '≤', 0, ''),
          goal(`${by}${title}, one target down: lost`, value(name, what, 'downLost', 'worst'), '≤', 0, ''),
        ]),
        goal(`${by}one hangs: p99 of the nine`, value(name, 'targets', 'hangingRatio'), '≤', 1.2, '×'),
        goal(`${by}one hangs: open on it`, value(name, 'targets', 'hangingOpen', 'worst'), '≤', 4, ''),
        goal(`${by}one refuses: all told`, value(name, 'targets', 'refusingAllS', 'worst'), '≤', 1, 's'),
        goal(`${by}one refuses: missing`, value(name, 'targets', 'refusingMissing', 'worst'), '≤', 0, ''),
      ]
    }),
  ].filter((one) => !Number.isNaN(one.value))
  console.log()
  for (const { title, value, how, limit, unit, met } of goals)
    console.log(
      `${met ? 'met   ' : 'MISSED'} ${title.padEnd(44)} ${show(value, unit || ' ').padStart(9)}  ${how} ${limit} ${unit}`,
    )
  const machine = { cores: availableParallelism(), node: process.version, load: loadavg() }
  console.log(`\n${run.seconds} s, load average ${machine.load.map((load) => load.toFixed(1)).join(' ')}`)
  console.log(JSON.stringify({ ...run, machine, measured, goals }))
}

const goal = (title: string, value: number, how: '≤' | '≥', limit: number, unit: string) => ({
  title,
  value,
  how,
  limit,
  unit,
  met: how === '≤' ? value <= limit : value >= limit,
})
