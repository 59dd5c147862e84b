import { test } from 'vitest'
import { cases } from '../conformance/kit.ts'
import mobile from './index.ts'

const checks = await cases({
  connector: mobile,
  start: async () => ({
    // Presses come by the API (api/presses.ts), so there is no button that this link could hear.
    opening: () => ({ config: {}, inputs: { phone: { id: '3' } } }),
    secrets: {},
    close: async () => {},
  }),
})
for (const { name, run } of checks) test(name, run)
