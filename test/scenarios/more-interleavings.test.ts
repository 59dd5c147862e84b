import { it } from 'vitest'
import { interleave } from '../simulation/ward.ts'

/** Of 100,000 random interleavings the half with even seeds; `interleavings` has the others. */
const interleavings = 50_000

it(
  `${interleavings} interleavings: no escalation after its condition, no incident without a next step`,
  () => interleave(interleavings, 2),
  1_800_000,
)
