import { defineConfig } from 'vitest/config'

/** Where `.ci/run` wants the report that it counts. */
const report = process.env['DURESS_TEST_REPORT']

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    globalSetup: ['test/tools.ts', 'test/redis/choose.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
})
