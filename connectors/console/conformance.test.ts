import { test } from 'vitest'
import { cases } from '../conformance/kit.ts'
import bridge from './index.ts'

const checks = await cases({
  connector: bridge,
  start: async () => ({
    opening: () => ({ config: {}, outputs: { screens: {} } }),
    secrets: {},
    // Nobody is asked: the screens show it from its receipt.
    trials: [{ capability: 'door.highlight', output: 'screens', args: {} }],
    close: async () => {},
  }),
})
for (const { name, run } of checks) test(name, run)
