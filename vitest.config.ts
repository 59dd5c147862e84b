import { relative } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Where `.ci/run` wants the report that it counts. */
const report = process.env['DURESS_TEST_REPORT']

/** Those that take a minute or more, the longest first: begun last, one of them would keep everybody waiting. */
const longest = [
  'test/chaos/chaos.test.ts',
  'test/promises/recorded-before-acknowledged.test.ts',
  'connectors/opcua/conformance.test.ts',
  'test/scenarios/interleavings.test.ts',
  'test/scenarios/more-interleavings.test.ts',
  'connectors/mqtt/link.test.ts',
  'test/promises/nobody-waits-for-a-stranger.test.ts',
  'test/promises/the-database-is-the-truth.test.ts',
  'connectors/modbus/conformance.test.ts',
  'test/scenarios/workers.test.ts',
  'test/scenarios/doors-at-workers.test.ts',
  'test/promises/workers-die.redis.test.ts',
  'connectors/opcua/must-hold.test.ts',
  'connectors/opcua/opcua.test.ts',
  'connectors/onvif/conformance.test.ts',
  'cli/run.test.ts',
  'cli/demo.test.ts',
]

/** A fresh clone has no durations of an earlier run that Vitest would go by; the rest is begun as Vitest likes. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = longest.indexOf(relative(import.meta.dirname, moduleId))
      return index < 0 ? longest.length : index
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

/** The image and the compose files need an engine: they are tested where tests run in containers, and only there. */
const isInContainers = process.env['DURESS_TEST_BACKEND'] === 'containers'
if (!isInContainers && process.env['VITEST_WORKER_ID'] === undefined)
  console.log('test/docker is a part of: DURESS_TEST_BACKEND=containers npm test -- test/docker/')

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', ...(isInContainers ? [] : ['test/docker/**'])],
    globalSetup: ['test/tools.ts'],
    pool: 'forks',
    // On two cores: most tests wait for real time or for another process half of theirs.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
})
