import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { cleanUp, newDir, type Program, run, start } from './fixtures/program.ts'

afterEach(cleanUp)

const startDemo = async (...args: string[]): Promise<{ program: Program; data: string; url: string }> => {
  const data = newDir()
  const program = start(['demo', '--data', data, ...args])
  const [, url] = await program.says(/status page, API +(http:\S+)\/$/m)
  return { program, data, url: url as string }
}

test('the first press pages security, turns a camera, takes a picture, highlights a door; Ctrl-C ends with 0', async () => {
  const { program, data } = await startDemo('--port', '0')
  await program.says(/PRESS +Button in triage 2: duress at Triage 2/)
  await program.says(/\d+ ms +mock pager +pager 5550100 shows "DURESS ED Triage 2/)
  await program.says(/\d+ ms +mock ED camera +turns to preset 2/)
  await program.says(/\d+ ms +receipt +page\.send security: done/)
  await program.says(/\d+ ms +receipt +camera\.preset cam-ed: done/)
  await program.says(/\d+ ms +receipt +camera\.snapshot cam-ed: done/)
  await program.says(/\d+ ms +receipt +door\.highlight door-ed-west: done/)
  await program.says(/npx duress-bridge press lobby-weapon-button/)
  program.signal('SIGINT')
  expect(await program.ended).toBe(0)
  expect(existsSync(join(data, 'demo.json'))).toBe(false)
  expect((await run('trail', 'verify', '--data', data)).code).toBe(0)
})

test('press raises the real input of the mock, locks the door, and the API has the incident', async () => {
  const { program, data, url } = await startDemo('--port', '0')
  const pressed = await run('press', 'lobby-weapon-button', '--data', data, '--json')
  expect(pressed.code).toBe(0)
  const { incident } = JSON.parse(pressed.stdout) as { incident: string }
  await program.says(/mock doors +door LOBBY is locked down/)
  await program.says(/receipt +door\.lockdown door-lobby: done \(confirmed\)/)
  const answer = (await (await fetch(`${url}/v1/incidents/${incident}`)).json()) as { incident: object }
  expect(answer.incident).toMatchObject({
    kind: 'weapon',
    plan: 'lobby-weapon',
    devices: ['lobby-weapon-button'],
  })
  const { stdout } = await run('doors', '--url', url)
  expect(stdout).toMatch(/door-lobby +lockdown +lockdown until/)
})

test('a badge calls by its signed webhook, with a kind or as a drill', async () => {
  const { program, data } = await startDemo('--port', '0')
  await run('press', 'badge-0118', '--kind', 'weapon', '--data', data)
  await program.says(/PRESS +Badge 0118: weapon at Room 301/)
  await program.says(/receipt +door\.secure door-level3: done \(confirmed\)/)
  await run('press', 'badge-0117', '--drill', '--data', data)
  await program.says(/PRESS +Badge 0117: DRILL, duress at ED hall/)
})

test('a duress code at a keypad pages in silence, with whose code it is', async () => {
  const { program, data } = await startDemo('--port', '0')
  const { code } = await run('press', 'teller-code', '--data', data)
  expect(code).toBe(0)
  await program.says(/PRESS +Duress code of the cash desk: duress at Cash desk/)
  await program.says(/opened +incident \d+ by plan cash-desk-duress, silent/)
  await program.says(/mock pager +pager 5550100 shows "DURESS .*Cash desk, SILENT.* by teller-2,/)
  await program.says(/mock lobby camera +turns to preset 3/)
})

test('a nurse-call system that can only page is heard, as emergency or as assist', async () => {
  const { program, data } = await startDemo('--port', '0')
  await run('press', 'room-302-cord', '--data', data)
  await program.says(/PRESS +Emergency cord in room 302: duress at Room 302/)
  await run('press', 'room-302-cord', '--kind', 'assist', '--data', data)
  await program.says(/PRESS +Emergency cord in room 302: assist at Room 302/)
})

test('a phone presses with its own token, from an address', async () => {
  const { program, data } = await startDemo('--port', '0')
  await run('press', 'home-care-phone', '--kind', 'man-down', '--data', data)
  await program.says(/PRESS +Phone of home care: man-down at place unknown/)
  await program.says(/mock pager +pager 5550100 shows "MAN DOWN at 12 Mill Lane, by home-care-2/)
})

test('a badge of the list names who carries it', async () => {
  const { program, data, url } = await startDemo('--port', '0')
  await run('press', 'badge-0119', '--data', data)
  await program.says(/mock pager +pager 5550100 shows "DURESS L3 Room 301, by porter-4 \(porter\)/)
  const { stdout } = await run('coverage', '--url', url)
  expect(stdout).toMatch(/nobody who is physician carries a device/)
  expect(stdout).not.toMatch(/who is (nurse|porter)/)
})

test('devices that have pressed and caused what they should are proven, the others are not', async () => {
  const { program, data, url } = await startDemo('--port', '0')
  await run('press', 'station-assist-button', '--data', data)
  await program.says(/proven +station-assist-button: real by a press$/m)
  const { stdout } = await run('devices', '--url', url)
  expect(stdout).toMatch(/station-assist-button +proven/)
  expect(stdout).toMatch(/pharmacy-button +never-tested/)
})

test('fire releases what is locked', async () => {
  const { program, data } = await startDemo('--port', '0')
  await run('press', 'lobby-weapon-button', '--data', data)
  await program.says(/receipt +door\.lockdown door-lobby: done \(confirmed\)/)
  await run('press', 'fire-panel', '--hold', '10s', '--data', data)
  await program.says(/mock doors +door LOBBY is released/)
})

test('press by API reaches the same bridge; an unknown device of the demo is an error', async () => {
  const { program, data, url } = await startDemo('--port', '0')
  const { code, stdout } = await run('press', 'station-assist-button', '--url', url)
  expect(code).toBe(0)
  expect(stdout).toMatch(/station-assist-button pressed: incident /)
  await program.says(/PRESS +Assist button at the level 3 station: assist/)
  const unknown = await run('press', 'no-such-button', '--data', data)
  expect(unknown.code).toBe(1)
  expect(unknown.stderr).toMatch(/there is no device no-such-button: press one of .*\[UNKNOWN_DEVICE\]/)
  const health = await run('press', 'cash-desk-panel', '--data', data)
  expect(health.stderr).toMatch(/cash-desk-panel has no button/)
  const drill = await run('press', 'teller-code', '--drill', '--data', data)
  expect(drill.stderr).toMatch(/teller-code is a code: .*\[BAD_REQUEST\]/)
  const weapon = await run('press', 'room-302-cord', '--kind', 'weapon', '--data', data)
  expect(weapon.stderr).toMatch(/room-302-cord is a pull cord: it calls for duress or assist/)
})

test('every device of the demo that the bridge does not itself listen for can be probed', async () => {
  const { data } = await startDemo('--port', '0')
  const { stdout } = await run('probe', '--config', join(data, 'site.yaml'), '--json')
  const probed = JSON.parse(stdout) as { target: string; ok: boolean }[]
  const failed = probed.filter(({ ok }) => !ok).map(({ target }) => target)
  expect(failed).toEqual([
    'teller-code',
    'cash-desk-panel',
    'room-302-cord',
    'badge-0117',
    'badge-0118',
    'badge-0119',
  ])
  const one = await run('probe', 'door-lobby', '--config', join(data, 'site.yaml'))
  expect(one.code).toBe(0)
  expect(one.stdout).toMatch(/door-lobby .* ok /)
})

test('a taken port is no obstacle: another is used, and said', async () => {
  const squatter = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => squatter.once('listening', resolve))
  const { port } = squatter.address() as { port: number }
  try {
    const { program, url } = await startDemo('--port', String(port))
    expect(program.stdout).toContain(`Port ${port} is taken`)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
  } finally {
    squatter.close()
  }
})
