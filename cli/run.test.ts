import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startModbusPanel } from '../mocks/modbus-panel/index.ts'
import { startRestDoors } from '../mocks/rest-door/index.ts'
import { startSnppPager } from '../mocks/snpp-pager/index.ts'
import { cleanUp, newDir, type Program, run, start } from './fixtures/program.ts'
import { siteText, type Wires, writeSite } from './fixtures/site.ts'

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
let wires: Wires
let data: string

beforeEach(async () => {
  mocks = await startMocks()
  data = newDir()
  const password = join(data, 'password')
  writeFileSync(password, 'correct horse\n')
  const doors = `http://127.0.0.1:${mocks.doors.port}`
  wires = { panel: mocks.panel.port, pager: mocks.pager.port, doors, password }
})

afterEach(async () => {
  await cleanUp()
  await Promise.all(Object.values(mocks).map((mock) => mock.close()))
})

const startBridge = async (
  text = siteText(wires),
): Promise<{ program: Program; url: string; file: string }> => {
  const file = writeSite(data, text)
  const program = start(['run', '--config', file, '--data', data])
  const [, url] = await program.says(/^ready: Test site at (http:\S+), data in /m)
  return { program, url: url as string, file }
}

/** Presses the button of the lobby and waits until the door is locked down for it. */
const lockDown = async (): Promise<void> => {
  await mocks.panel.polled()
  await mocks.panel.press(0)
  await mocks.doors.doors.LOBBY.expect('LockedDown')
}

describe('run', () => {
  test('is ready whatever the devices do, and ends with 0 at SIGTERM', async () => {
    const { program, url } = await startBridge(siteText())
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    program.signal('SIGTERM')
    expect(await program.ended).toBe(0)
    expect(program.stdout).toContain('stopped')
  })

  test('starts nothing with a bad config: every finding is told, exit code 2', async () => {
    const file = writeSite(
      data,
      siteText().replace('kind: weapon, place', 'kind: wapon, place').replace('limit: 15m', ''),
    )
    const { code, stdout, stderr } = await run('run', '--config', file, '--data', data)
    expect(code).toBe(2)
    expect(stderr).toMatch(/site\.yaml:\d+:\d+: .*\n[\s\S]*site\.yaml:\d+:\d+: /)
    expect(stdout).not.toContain('ready')
  })

  test('a press goes all the way, and its trail is whole', async () => {
    const { url } = await startBridge()
    await lockDown()
    await mocks.pager.journal.expect('page')
    const { incidents } = (await (await fetch(`${url}/v1/incidents`)).json()) as {
      incidents: { kind: string }[]
    }
    expect(incidents).toMatchObject([{ kind: 'weapon', plan: 'weapon' }])
    const { code, stdout } = await run('trail', 'incident', '1', '--data', data)
    expect(code).toBe(0)
    expect(stdout).toMatch(/ ms +PRESS +lobby-button: weapon/)
    expect(stdout).toMatch(/ ms +receipt +page\.send security: done/)
    expect((await run('trail', 'verify', '--data', data)).code).toBe(0)
  })

  test('names the doors that stay held when it stops, and holds them still when it is back', async () => {
    const { program } = await startBridge()
    await lockDown()
    await program.says(/link up/)
    program.signal('SIGINT')
    expect(await program.ended).toBe(0)
    expect(program.stdout).toMatch(/lobby-door stays held \(lockdown\) until \d\d:\d\d:\d\d/)
    const { stdout } = await run('doors', '--config', join(data, 'site.yaml'), '--data', data)
    expect(stdout).toMatch(/Only a running bridge releases: lobby-door/)
    expect((await run('doors', '--data', data)).stdout).toMatch(/lobby-door .*lockdown until/)
    const again = await startBridge()
    const { doors } = (await (await fetch(`${again.url}/v1/doors`)).json()) as { doors: unknown[] }
    expect(doors).toMatchObject([{ name: 'lobby-door', holds: [{ mode: 'lockdown' }] }])
    expect(mocks.doors.doors.LOBBY.mode).toBe('LockedDown')
  })

  test('a second process on the same data is refused, and the first goes on', async () => {
    const { program, url, file } = await startBridge()
    const { code, stderr } = await run('run', '--config', file, '--data', data)
    expect(code).toBe(1)
    expect(stderr).toMatch(/another process owns the data directory .* \[DATA_IN_USE\]/)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    program.signal('SIGTERM')
    expect(await program.ended).toBe(0)
  })

  test('a port that is taken is said to be so, and nothing stays behind', async () => {
    const { url } = await startBridge()
    const dir = newDir()
    const file = writeSite(dir, siteText(wires).replace('127.0.0.1:0', new URL(url).host))
    const { code, stderr } = await run('run', '--config', file, '--data', dir)
    expect(code).toBe(1)
    expect(stderr).toMatch(/the API can't listen on 127\.0\.0\.1:\d+: .* \[NOT_LISTENING\]/)
  })

  test('the log holds the head of the trail, which verify takes', async () => {
    const { program } = await startBridge()
    await lockDown()
    program.signal('SIGTERM')
    await program.ended
    const heads = [...program.stderr.matchAll(/"seq":(\d+),"chain":"([0-9a-f]{64})","msg":"trail head"/g)]
    expect(heads.length).toBeGreaterThan(0)
    const [, seq, chain] = heads.at(-1) as RegExpExecArray
    const { code } = await run('trail', 'verify', '--data', data, '--head', `${seq}:${chain}`)
    expect(code).toBe(0)
  })

  test('the log is JSON without the password', async () => {
    const { program } = await startBridge()
    await lockDown()
    program.signal('SIGTERM')
    await program.ended
    const lines = program.stderr
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('{'))
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow()
    expect(program.stdout + program.stderr).not.toContain('correct horse')
  })
})

describe('SIGHUP', () => {
  test('a bad config leaves the running one untouched', async () => {
    const { program, url } = await startBridge()
    writeSite(data, siteText(wires).replace('kind: weapon }', 'kind: wapon }'))
    program.signal('SIGHUP')
    await program.says(/reload refused: .*the running config stays/)
    expect(program.stderr).toMatch(/site\.yaml:\d+:\d+: /)
    await lockDown()
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
  })

  test('a good one takes over in the same process, and open incidents live on', async () => {
    const { program } = await startBridge()
    await lockDown()
    writeSite(data, siteText(wires).replace('name: Test site', 'name: Renamed site'))
    program.signal('SIGHUP')
    const [, url] = await program.says(/^reloaded: Renamed site, revision \w+, at (http:\S+)/m)
    const { incidents } = (await (await fetch(`${url}/v1/incidents?open=true`)).json()) as {
      incidents: unknown[]
    }
    expect(incidents).toHaveLength(1)
  })

  test('a config without a door that is held is refused, by name', async () => {
    const { program } = await startBridge()
    await lockDown()
    const text = siteText(wires).replaceAll('lobby-door', 'front-door')
    writeSite(data, text)
    program.signal('SIGHUP')
    await program.says(/reload refused: lobby-door is held and must stay as it is/)
  })

  test('the same config again changes nothing', async () => {
    const { program } = await startBridge()
    program.signal('SIGHUP')
    await program.says(/has not changed/)
  })
})

describe('trail verify', () => {
  test('finds a changed row, a cut-off end and a missing trail', async () => {
    const { program } = await startBridge()
    await lockDown()
    program.signal('SIGTERM')
    await program.ended
    const { stdout } = await run('trail', 'verify', '--data', data, '--json')
    const { head } = JSON.parse(stdout) as { head: { seq: number; chain: string } }

    const cut = await run('trail', 'verify', '--data', data, '--head', `${head.seq + 1}:${head.chain}`)
    expect(cut.code).toBe(1)
    expect(cut.stderr).toMatch(/broken at row \d+: the end is cut off/)

    const db = new DatabaseSync(join(data, 'duress.db'))
    db.exec(
      "UPDATE trail SET payload = replace(payload, 'weapon', 'assist') WHERE payload LIKE '%\"press\"%'",
    )
    db.close()
    const changed = await run('trail', 'verify', '--data', data)
    expect(changed.code).toBe(1)
    expect(changed.stderr).toMatch(/is broken at row \d+ of duress\.db: its payload .* \[CHAIN_BROKEN\]/)

    const none = await run('trail', 'verify', '--data', newDir())
    expect(none.code).toBe(1)
    expect(none.stderr).toMatch(/there is no trail in/)
  })
})
