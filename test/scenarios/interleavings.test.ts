import { it } from 'vitest'
import { interleave } from '../simulation/ward.ts'

/** Of 100,000 random interleavings the half with odd seeds; `more-interleavings` has the others, beside it on another core. */
const interleavings = 50_000

it(
  `${interleavings} interleavings: no escalation after its condition, no incident without a next step`,
  () => interleave(interleavings, 1),
  1_800_000,
)
