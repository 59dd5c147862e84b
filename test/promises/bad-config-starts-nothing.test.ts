import { existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { cleanUp, freePort, isOpen, Program, run, until } from './program.ts'

/** Promise 7 of the process itself: what it opens, writes and says. What is found is checked-before-it-runs.test.ts. */
let pager: SnppPager | null = null

afterEach(async () => {
  await cleanUp()
  await pager?.close()
  pager = null
})

const env = { DEVICE_PASSWORD: 'secret', BADGES_TOKEN: 'token' }

/** Nobody is at port 9. */
const siteText = (api: number, webhook: number, pagers = 9) => `site: { name: Checked, timezone: UTC }
api: { listen: "127.0.0.1:${api}" }
places:
  house: { level: building, in: { lobby: { level: zone } } }
connectors:
  panel: { type: modbus, host: 127.0.0.1, port: 9 }
  badges: { type: webhook, listen: "127.0.0.1:${webhook}", path: /badges, bearer: { env: BADGES_TOKEN } }
  cameras: { type: onvif, username: bridge, password: { env: DEVICE_PASSWORD } }
  doors: { type: http, profile: axis-door, url: "http://127.0.0.1:9", auth: { basic: { username: bridge, password: { env: DEVICE_PASSWORD } } } }
  pagers: { type: snpp, host: 127.0.0.1, port: ${pagers} }
devices:
  button: { connector: panel, input: { discrete: 0, counter: 16 }, place: house/lobby, kind: weapon }
  fire-panel: { connector: panel, input: { discrete: 12 }, means: fire, place: house }
  badge: { connector: badges, input: { id: "1" } }
  camera: { connector: cameras, output: { url: "http://127.0.0.1:9/onvif/device_service" }, sees: { house/lobby: { preset: "1" } } }
  door: { connector: doors, output: { values: { token: LOBBY } }, guards: [house/lobby], egress: free }
responders:
  security: { page: { connector: pagers, id: "1", perceptible: vibrate } }
plans:
  weapon:
    when: { kind: weapon, place: house/lobby }
    steps:
      - { at: 0s, do: [page.send: { to: security }, camera.snapshot: { to: nearest }, door.lockdown: { to: guarding, expires: 20s, limit: 15m }] }
  others:
    when: {}
    steps:
      - { at: 0s, do: [page.send: { to: security }] }
`

/** Whether a port was ever open until this is over. */
const everOpen = async (ports: readonly number[], over: Promise<unknown>): Promise<boolean> => {
  let isOver = false
  let seen = false
  void over.finally(() => {
    isOver = true
  })
  while (!isOver) {
    for (const port of ports) seen ||= await isOpen(port)
    await wait(5)
  }
  return seen
}

test.each([
  ['a name that is not there', (text: string) => text.replace('to: security', 'to: securty'), 'to: securty'],
  ['a field that is not there', (text: string) => text.replace('discrete: 0', 'discreet: 0'), 'discreet: 0'],
  ['no YAML', (text: string) => text.replace('plans:\n', 'plans: [\n'), null],
  ['a lock that never ends', (text: string) => text.replace(', limit: 15m', ''), 'door.lockdown'],
] as const)('%s: exit code 2 with file, line and column; no port, no data', async (_, spoil, at) => {
  const [api, webhook] = [await freePort(), await freePort()]
  const text = spoil(siteText(api, webhook))
  const program = new Program(text, { env })
  const ending = run('run', '--config', program.file, '--data', program.data)
  expect(await everOpen([api, webhook], ending)).toBe(false)
  const { code, stdout, stderr } = await ending
  expect(code).toBe(2)
  expect(stdout).not.toContain('ready')
  const found = [...stderr.matchAll(/site\.yaml:(\d+):(\d+): /g)].map(([, line, column]) => [
    Number(line),
    Number(column),
  ])
  expect(found.length).toBeGreaterThan(0)
  if (at !== null) {
    const line = text.split('\n').findIndex((one) => one.includes(at)) + 1
    const columns = found.filter(([where]) => where === line).map(([, column]) => column as number)
    expect(columns.length, stderr).toBeGreaterThan(0)
    // At the words themselves, not somewhere in the file.
    const start = (text.split('\n')[line - 1] as string).indexOf(at) + 1
    expect(
      columns.some((column) => column >= start && column < start + at.length),
      stderr,
    ).toBe(true)
  }
  expect(existsSync(program.data)).toBe(false)
})

test('every device dead: it is ready all the same, takes presses, and names what it cannot reach', async () => {
  const program = await new Program(siteText(await freePort(), await freePort()), { env }).start()
  const id = await program.press('button')
  expect((await program.get('/readyz')).status).toBe(200)
  const dead = ['panel unit-1', 'cameras http://127.0.0.1:9/onvif/device_service', 'pagers']
  await until('the dead links are faults', async () => {
    const ids = (await program.get('/v1/faults')).body.faults.map(({ id }: { id: string }) => id)
    return dead.every((link) => ids.includes(`link-down:${link}`))
  })
  expect(
    (await program.incident(id)).commands.filter(({ receipt }) => !receipt).map(({ target }) => target),
  ).toContain('security')
  expect(program.isAlive).toBe(true)
})

test('a bad reload leaves the running one untouched: same links, same incidents, same presses', async () => {
  pager = await startSnppPager({ pagers: ['1'] })
  const good = siteText(await freePort(), await freePort(), pager.port)
  const program = await new Program(good, { env }).start()
  await program.link('pagers')
  const before = await program.press('button')
  await program.receipt(before, 'page.send', 'security')
  const opens = async () => (await program.links()).find(({ name }) => name === 'pagers')?.opens
  const opened = await opens()
  for (const bad of [good.replace('to: security', 'to: securty'), 'site: [', '']) {
    program.write(bad)
    const refusals = () => program.stdout.split('reload refused').length
    const had = refusals()
    program.signal('SIGHUP')
    await until('the reload is refused', () => refusals() > had)
  }
  expect(program.stderr).toMatch(/site\.yaml:\d+:\d+: .*securty/)
  expect(await opens()).toBe(opened)
  expect((await program.incident(before)).incident.resolved).toBeNull()
  const id = await program.press('badge')
  expect(await program.receipt(id, 'page.send', 'security')).toMatchObject({ end: 'done' })
  // The right one again changes nothing.
  program.write(good)
  program.signal('SIGHUP')
  await until('it says so', () => program.stdout.includes('has not changed'))
  expect(await opens()).toBe(opened)
})
