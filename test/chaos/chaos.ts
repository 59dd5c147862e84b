import { optionsOf } from '../options.ts'
import { runChaos } from './run.ts'
import { type FaultKind, faultKinds } from './schedule.ts'
import { invariants } from './violations.ts'

/**
 * Presses by the thousand while everything around the bridge, and the bridge itself, is killed, frozen and lied to; then
 * what the devices have seen is held against what the bridge has on its trail. Exit code 1: a promise was broken.
 */
const usage = `usage: chaos.ts [--presses 20000] [--rate 200 | --minutes M] [--seed N] [--only FAULT,FAULT] [--keep DIR]
faults: ${faultKinds.join(', ')}`
const values = optionsOf(usage, {
  presses: { type: 'string', default: '20000' },
  rate: { type: 'string' },
  seed: { type: 'string' },
  minutes: { type: 'string' },
  only: { type: 'string' },
  keep: { type: 'string' },
})

const presses = Number(values.presses)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const perSecond = values.minutes
  ? presses / (60 * Number(values.minutes))
  : Number(values.rate ?? (presses > 100_000 ? 500 : 200))
const only = values.only?.split(',') as FaultKind[] | undefined
const unknown = only?.filter((kind) => !faultKinds.includes(kind)) ?? []
if (unknown.length > 0 || !(presses > 0) || !(perSecond > 0) || !Number.isInteger(seed)) {
  console.error(usage)
  process.exit(2)
}

// Whatever was started goes with this process, in the order of its exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

console.log(`seed ${seed}: ${presses} presses, ${Math.round(perSecond)} a second`)
const summary = await runChaos({
  seed,
  presses,
  perSecond,
  ...(only ? { only } : {}),
  ...(values.keep ? { keep: values.keep } : {}),
  say: (line) => console.log(line),
})

for (const { invariant, what, known } of summary.shown)
  console.log(`BROKEN ${invariant}: ${what}\n${JSON.stringify(known)}`)
console.table(
  Object.fromEntries(
    Object.entries(invariants).map(([name, promise]) => [
      name,
      {
        judged: summary.judged[name as keyof typeof invariants] ?? 0,
        broken: summary.violations[name as keyof typeof invariants] ?? 0,
        promise,
      },
    ]),
  ),
)
const { shown, ...figures } = summary
console.log(JSON.stringify(figures))
console.log(`seed ${seed}`)
process.exit(shown.length > 0 ? 1 : 0)
