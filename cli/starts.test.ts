import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { loadText } from '../config/load.ts'
import { catalogue } from '../connectors/index.ts'
import { startModbusPanel } from '../mocks/modbus-panel/index.ts'
import { startRestDoors } from '../mocks/rest-door/index.ts'
import { startSnppPager } from '../mocks/snpp-pager/index.ts'
import { testContext } from '../test/context.ts'
import { cleanUp, newDir, start } from './fixtures/program.ts'
import { siteText, writeSite } from './fixtures/site.ts'
import { Starts } from './starts.ts'

afterEach(cleanUp)

const now = Date.UTC(2026, 0, 5, 8)
const read = (dir: string, at = now) => Starts.read(dir, testContext().ctx.log, at)

/** One start that ends with a crash. */
const crash = async (dir: string, at: number): Promise<Starts> => {
  const starts = await read(dir, at)
  await starts.begin()
  return starts
}

describe('after three crashes within 60 s connectors are isolated', () => {
  test('three, and not two', async () => {
    const dir = newDir()
    const crashed = [await crash(dir, now), await crash(dir, now + 20_000), await crash(dir, now + 40_000)]
    expect(crashed.map(({ isolated }) => isolated)).toEqual([false, false, false])
    const fourth = await read(dir, now + 59_000)
    expect(fourth.isolated).toBe(true)
    expect(fourth.words).toMatch(
      /crashed 3 times within 60 s: .* the links of every connector run in threads/,
    )
  })

  test('not when they took longer', async () => {
    const dir = newDir()
    for (const ms of [0, 31_000, 62_000]) await crash(dir, now + ms)
    expect((await read(dir, now + 93_000)).isolated).toBe(false)
  })

  test('not when one was stopped in between', async () => {
    const dir = newDir()
    await crash(dir, now)
    await crash(dir, now + 1_000)
    await (await crash(dir, now + 2_000)).end()
    await crash(dir, now + 3_000)
    expect((await read(dir, now + 4_000)).isolated).toBe(false)
  })

  test('a further crash keeps it isolated, however late; a stop ends it', async () => {
    const dir = newDir()
    for (const ms of [0, 1_000, 2_000]) await crash(dir, now + ms)
    expect((await crash(dir, now + 3_000)).isolated).toBe(true)
    const later = await crash(dir, now + 1_800_000)
    expect(later.isolated).toBe(true)
    await later.end()
    expect((await read(dir, now + 1_801_000)).isolated).toBe(false)
  })

  test('an hour without a crash ends it for the next start', async () => {
    const dir = newDir()
    for (const ms of [0, 1_000, 2_000]) await crash(dir, now + ms)
    const starts = await crash(dir, now + 3_000)
    await starts.calm()
    expect(starts.isolated).toBe(false)
    expect((await read(dir, now + 3_700_000)).isolated).toBe(false)
  })
})

test('the built-in console stays where it is, and the words say so', async () => {
  const dir = newDir()
  for (const ms of [0, 1_000, 2_000]) await crash(dir, now + ms)
  const starts = await read(dir, now + 3_000)
  const { site } = loadText(siteText(), catalogue)
  const { connectors } = starts.take(site!)
  expect(connectors.get('console')).toMatchObject({ isolate: false })
  expect(connectors.get('panel')).toMatchObject({ isolate: true })
  expect(starts.words).toMatch(/not isolated: the built-in console, which has no wire$/)
})

test('a site of a hundred cameras does not become a hundred threads', async () => {
  const dir = newDir()
  for (const ms of [0, 1_000, 2_000]) await crash(dir, now + ms)
  const starts = await read(dir, now + 3_000)
  const cameras = Array.from(
    { length: 100 },
    (_, n) =>
      `  cam-${n}: { connector: cams, output: { url: "http://127.0.0.1:${n + 1}/d" }, sees: { house/lobby: {} } }`,
  )
  const text = siteText()
    .replace('connectors:', 'connectors:\n  cams: { type: onvif, username: x, password: { env: PATH } }')
    .replace('devices:', `devices:\n${cameras.join('\n')}`)
  const { site, findings } = loadText(text, catalogue)
  expect(findings.filter(({ fatal }) => fatal)).toEqual([])
  const taken = starts.take(site!)
  const isolated = [...taken.connectors.values()].filter(({ isolate }) => isolate).map(({ name }) => name)
  expect(isolated.sort()).toEqual(['doors', 'pagers', 'panel'])
  expect(starts.words).toMatch(
    /not isolated: the built-in console, which has no wire, and cams, beyond the 64 links that may$/,
  )
})

test.each(['', '{', '7', '{"starts":7}', '{"starts":["x",null]}', '\0'.repeat(10_000)])(
  'a file that is damaged keeps nothing from starting: %#',
  async (text) => {
    const dir = newDir()
    writeFileSync(join(dir, 'starts.json'), text)
    expect((await read(dir)).isolated).toBe(false)
    await (await read(dir)).begin()
    expect(JSON.parse(readFileSync(join(dir, 'starts.json'), 'utf8'))).toEqual({
      starts: [now],
      isolated: false,
    })
  },
)

test('a directory that can not be written to keeps nothing from starting', async () => {
  const { ctx, lines } = testContext()
  const starts = await Starts.read('/proc/nowhere', ctx.log)
  await starts.begin()
  await starts.end()
  expect(starts.isolated).toBe(false)
  expect(lines.map(({ text }) => text)).toContain('how the last starts ended is not known')
})

test('the program that has crashed three times works all the same, with panel, door and pager in threads', async () => {
  const panel = await startModbusPanel()
  const pager = await startSnppPager({ pagers: ['5550100'] })
  const doors = await startRestDoors({
    username: 'bridge',
    password: 'correct horse',
    doors: { LOBBY: { schedule: 'Unlocked' } },
  })
  try {
    const dir = newDir()
    const password = join(dir, 'password')
    writeFileSync(password, 'correct horse\n')
    const starts = [1, 2, 3].map((seconds) => Date.now() - seconds * 1_000)
    writeFileSync(join(dir, 'starts.json'), JSON.stringify({ starts, isolated: false }))
    const wires = { panel: panel.port, pager: pager.port, doors: `http://127.0.0.1:${doors.port}`, password }
    const program = start(['run', '--config', writeSite(dir, siteText(wires)), '--data', dir])
    await program.says(/the bridge crashed 3 times within 60 s/)
    const [, url] = await program.says(/^ready: Test site at (http:\S+), data in /m)
    const { faults } = (await (await fetch(`${url}/v1/faults`)).json()) as { faults: { id: string }[] }
    expect(faults.map(({ id }) => id)).toContain('isolated')
    await panel.polled()
    await panel.press(0)
    await doors.doors['LOBBY']!.expect('LockedDown', { withinMs: 15_000 })
    await pager.journal.expect('page')
    expect(existsSync(join(dir, 'starts.json'))).toBe(true)
    program.signal('SIGTERM')
    expect(await program.ended).toBe(0)
    expect(existsSync(join(dir, 'starts.json'))).toBe(false)
  } finally {
    await Promise.all([panel, pager, doors].map((mock) => mock.close()))
  }
})
