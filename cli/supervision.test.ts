import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cleanUp, newDir, run, start } from './fixtures/program.ts'
import { siteText, writeSite } from './fixtures/site.ts'

let url: string
let data: string

beforeEach(async () => {
  data = newDir()
  const program = start(['run', '--config', writeSite(data, siteText()), '--data', data])
  const [, at] = await program.says(/^ready: Test site at (http:\S+), data in /m)
  url = at as string
})
afterEach(cleanUp)

const ask = (...args: string[]) => run(...args, '--url', url)

test('devices are listed with how they stand, the worst first', async () => {
  const { code, stdout } = await ask('devices')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^DEVICE +STANDS +PLACE/)
  expect(stdout).toMatch(/lobby-button +lost +house\/lobby/)
  expect(stdout).toMatch(/\d devices: \d lost/)
  const { devices, counts } = JSON.parse((await ask('devices', '--json')).stdout)
  expect(devices.map(({ name }: any) => name)).toContain('lobby-button')
  expect(counts.proven).toBe(0)
})

test('a device is taken into service mode and out of it', async () => {
  const begun = await ask('service', 'lobby-button', '--for', '2h', '--because', 'new cable')
  expect(begun.stdout).toMatch(
    /lobby-button is in service mode until 20\S+: its presses summon help all the same/,
  )
  expect((await ask('devices')).stdout).toMatch(/lobby-button +service .*new cable/)
  expect((await ask('service', 'lobby-button', '--end')).stdout).toContain('out of service mode')
  const wrong = await ask('service', 'lobby-button')
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('--because')])
})

test('a walk test starts for a place, and stops', async () => {
  const started = await ask('walk-test', 'start', '--place', 'house', '--for', '30m')
  expect(started.stdout).toContain('presses of lobby-button')
  expect((await ask('walk-test', 'stop')).stdout).toMatch(/^stopped: \S+/)
  expect((await ask('walk-test', 'stop')).stdout).toContain('no walk test runs')
})

test('the register goes out and comes in; a wrong list is refused line by line', async () => {
  const file = join(data, 'register.csv')
  expect((await ask('register', 'export', file)).code).toBe(0)
  expect(readFileSync(file, 'utf8')).toMatch(/^device,at,by,note/)
  const list = join(data, 'list.csv')
  writeFileSync(list, 'device,at,by\nlobby-button,2026-01-02 10:00,T. Ester\n')
  expect((await ask('register', 'import', list)).stdout).toContain('1 tests taken in')
  expect((await ask('register', 'export')).stdout).toContain('2026-01-02T10:00:00.000Z,T. Ester')
  writeFileSync(list, 'device,at,by\nnobody,2026-01-02,T\nlobby-button,never,T\n')
  const { code, stderr } = await ask('register', 'import', list)
  expect(code).toBe(1)
  expect(stderr).toContain(`${list}:2: there is no device \`nobody\``)
  expect(stderr).toContain(`${list}:3: `)
})
