import { expect, test } from 'vitest'
import { runChaos } from './run.ts'

/** All promises at once, on real processes: 20,000 presses while everything is killed, frozen, cut, filled and lied to. */
const presses = 20_000
const perSecond = 250

test(`${presses} presses under seeded faults break no promise`, async () => {
  const seed = Number(process.env['DURESS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed} (DURESS_SEED, or chaos --seed ${seed} --rate ${perSecond})`)
  const { shown, ...summary } = await runChaos({ seed, presses, perSecond, say: (line) => console.log(line) })
  console.log(JSON.stringify(summary))
  expect(shown).toEqual([])
  expect(summary.violations).toEqual({})
  expect(summary.presses).toBe(presses)
  expect(summary.receipts).toBe(summary.commands)
  // A run that saw no fault, or judged nothing, proves nothing.
  expect(Object.keys(summary.faults).length).toBeGreaterThan(5)
  for (const invariant of ['recorded', 'receipt', 'truthful', 'late', 'fire', 'held', 'repeated'] as const)
    expect(summary.judged[invariant], invariant).toBeGreaterThan(0)
  console.log(`seed ${seed}`)
}, 600_000)
