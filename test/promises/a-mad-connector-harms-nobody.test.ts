import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cleanUp, newDir, type Program, start } from '../../cli/fixtures/program.ts'
import { siteText, writeSite } from '../../cli/fixtures/site.ts'
import { startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { startRestDoors } from '../../mocks/rest-door/index.ts'
import { startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { until } from './program.ts'

const hostile = new URL('../../core/runner/fixtures/hostile.ts', import.meta.url).pathname

const startMocks = async () => ({
  panel: await startModbusPanel(),
  pager: await startSnppPager({ pagers: ['5550100'] }),
  doors: await startRestDoors({
    username: 'bridge',
    password: 'correct horse',
    doors: { LOBBY: { schedule: 'Unlocked' } },
  }),
})

let mocks: Awaited<ReturnType<typeof startMocks>>
beforeEach(async () => {
  mocks = await startMocks()
})
afterEach(async () => {
  await cleanUp()
  await Promise.all(Object.values(mocks).map((mock) => mock.close()))
})

/** The site of the tests, with the hostile connector as an extension beside its own. */
const startBridge = async (mode: string): Promise<{ program: Program; url: string }> => {
  const dir = newDir()
  const password = join(dir, 'password')
  writeFileSync(password, 'correct horse\n')
  const doors = `http://127.0.0.1:${mocks.doors.port}`
  const text = siteText({ panel: mocks.panel.port, pager: mocks.pager.port, doors, password })
    .replace('connectors:', `extensions: [${hostile}]\nconnectors:\n  mad: { type: hostile, ${mode} }`)
    .replace('devices:', 'devices:\n  mad-thing: { connector: mad, output: { id: x } }')
  const program = start(['run', '--config', writeSite(dir, text), '--data', dir])
  const [, url] = await program.says(/^ready: Test site at (http:\S+), data in /m)
  return { program, url: url as string }
}

const faultsOf = async (url: string): Promise<{ id: string; what: string }[]> =>
  ((await (await fetch(`${url}/v1/faults`)).json()) as { faults: { id: string; what: string }[] }).faults

test.each([
  ['after: endless loop, afterMs: 300', /mad is not connected: did not answer for 3 s: an endless loop\?/],
  ['opening: leak', /mad is not connected: used more than 256 MB of memory: a leak\?/],
  ['after: throw in a timer, afterMs: 1000', /mad is not connected: its code threw where nobody catches it/],
  ['after: process.exit', /mad is not connected: its code ended its thread with exit code 3/],
] as const)(
  'what-users-ask 20 and 22: one link crashes again and again (%s), a press on another opens its incident, pages and locks',
  async (mode, words) => {
    const { program, url } = await startBridge(mode)
    await until('the fault says why', async () => (await faultsOf(url)).some(({ what }) => words.test(what)))
    await mocks.panel.polled()
    await mocks.panel.press(0)
    await mocks.doors.doors['LOBBY']!.expect('LockedDown', { withinMs: 15_000 })
    await mocks.pager.journal.expect('page')
    const { incidents } = (await (await fetch(`${url}/v1/incidents`)).json()) as { incidents: unknown[] }
    expect(incidents).toHaveLength(1)
    // It is opened again with the pauses of core: three times takes two pauses at least.
    await until(
      'it has crashed three times',
      () => program.stderr.split('an isolated connector crashed').length > 3,
      40_000,
    )
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    program.signal('SIGTERM')
    expect(await program.ended).toBe(0)
  },
)

test.each(['flood of notes', 'flood of records', 'flood of log lines', 'flood of prints'])(
  'what-users-ask 20: a link drowns us in a %s, a press on another pages and locks',
  async (mode) => {
    const { program } = await startBridge(`after: ${mode}`)
    await mocks.panel.polled()
    await mocks.panel.press(0)
    await mocks.doors.doors['LOBBY']!.expect('LockedDown', { withinMs: 15_000 })
    await mocks.pager.journal.expect('page')
    program.signal('SIGTERM')
    expect(await program.ended).toBe(0)
    expect(program.stdout.length).toBeLessThan(10_000)
  },
)
