import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Dc09Panel } from '../../mocks/dc09-panel/index.ts'
import { fill, smallDisk, unmountAll } from './disk.ts'
import { Hearing, tagOf } from './hearing.ts'
import { cleanUp, endAll, until } from './program.ts'

/** Promise 1 for keypads and badges, without a disk: people are called, and nothing that is not recorded is acknowledged. */
let at: Hearing

afterEach(async () => {
  await endAll()
  unmountAll()
  await cleanUp()
  await at.close()
})

const recording = (is: boolean) =>
  until(
    `it ${is ? 'records' : 'does not record'}`,
    async () => (await at.program.get('/readyz')).body.recording === is,
    60_000,
  )

const badge = tagOf(0)
const duress = '1121 01 012'
/** What a panel waits before it takes its second path, ms; those that are sold wait for some seconds. */
const panelWaitsMs = 1_000

/** Both press; the wires stay silent, and people are called. */
const presses = async (): Promise<Dc09Panel> => {
  const panel = at.panel()
  expect(await panel.send(duress, { withinMs: panelWaitsMs, attempts: 2 })).toBeNull()
  expect((await at.paged(/DURESS.*Cash Desk/i)).text).toContain('by Tess Teller')
  await at.badges.click(badge)
  expect((await at.paged(/DURESS.*ED Hall/i)).text).toContain('by Ada Lund (RN)')
  await recording(false)
  // Whoever does not press is still acknowledged, before the press that waits.
  await at.othersAreAcknowledged()
  expect(at.unacknowledged).toBe(1)
  expect(panel.answers).toEqual([])
  expect(panel.drops).toBe(0)
  return panel
}

const fullDisk = {
  name: 'a disk that is full from the start',
  start: async () => {
    at = await Hearing.prepare(smallDisk('6m'))
    fill(at.program.dir)
    await at.start()
  },
  heal: () => rmSync(join(at.program.dir, 'filler')),
}

const limit = (bytes: string) =>
  execFileSync('prlimit', ['--pid', `${at.program.pid}`, `--fsize=${bytes}:unlimited`])

const ioError = {
  name: 'an I/O error while it runs',
  start: async () => {
    at = await Hearing.prepare()
    await at.start()
    // All writes to files fail with EFBIG, which SQLite reports as an I/O error.
    limit('0')
  },
  heal: () => limit('unlimited'),
}

test.each([fullDisk, ioError])(
  '$name: no ACK and no PUBACK, yet people are called; once it is over the retry is acknowledged',
  async ({ start, heal }) => {
    await start()
    const panel = await presses()
    heal()
    await recording(true)
    expect(await panel.again({ attempts: 3 })).toMatchObject({ is: 'ACK' })
    await until('the PUBACK of the press', () => at.unacknowledged === 0)
    await at.isCompleteOnce(2)
    await at.isToldOnce()
    expect(await at.recorded('panels')).toEqual(['teller-code'])
    expect(await at.recorded('badges')).toEqual([`badge-${badge}`])
  },
)

test('kill -9 while the disk is full: what was never acknowledged comes again, and is responded to', async () => {
  await fullDisk.start()
  const panel = await presses()
  await at.program.kill()
  fullDisk.heal()
  await at.start()
  expect(await panel.again({ attempts: 3 })).toMatchObject({ is: 'ACK' })
  await until('the press that the broker has kept', async () => (await at.recorded('badges')).length > 0)
  expect(await at.recorded('panels')).toEqual(['teller-code'])
  expect(await at.recorded('badges')).toEqual([`badge-${badge}`])
  await at.isCompleteOnce(2)
  await Promise.all([at.paged(/DURESS.*Cash Desk/i), at.paged(/DURESS.*ED Hall/i)])
})
