import { it } from 'vitest'
import { outpostUnderFaults } from '../simulation/afar.ts'

const histories = 20_000

it(`${histories} commands among faulty workers: begun once, in time, and what is said of them is true`, async () => {
  let lived = 0
  for (let seed = Number(process.env['DURESS_SEED'] ?? 1); lived < histories; seed++)
    lived += await outpostUnderFaults(seed)
}, 600_000)
