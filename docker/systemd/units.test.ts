import { execFile, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, newDir } from '../../cli/fixtures/program.ts'
import { siteText, writeSite } from '../../cli/fixtures/site.ts'

const call = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')
const units = ['duress-bridge.service', 'duress-bridge-worker@.service']
/** Of docs/bench.md. */
const memoryFlags = ['--max-semi-space-size=16', '--initial-old-space-size=48']
const textOf = (unit: string): string => readFileSync(join(import.meta.dirname, unit), 'utf8')

/** How exposed a unit may be, of 10.0, as systemd rates it: without a network and devices it would be no bridge. */
const exposureMax = 2.0

afterEach(cleanUp)

describe.each(units)('%s', (unit) => {
  test('is one that systemd takes', async () => {
    // Where the program is: systemd looks whether it is there.
    const text = textOf(unit).replaceAll('/opt/duress-bridge', root)
    const name = unit.replace('@', '@edge-1')
    const path = join(newDir(), name)
    writeFileSync(path, text)
    const { stderr } = await call('systemd-analyze', ['verify', '--man=no', path])
    expect(stderr.split('\n').filter((line) => line.includes(name.split('.')[0] as string))).toEqual([])
  })

  test(`is rated ${exposureMax} or better by systemd`, async () => {
    const path = join(newDir(), unit.replace('@', '@edge-1'))
    writeFileSync(path, textOf(unit))
    const { stdout } = await call('systemd-analyze', ['security', '--offline=true', '--no-pager', path])
    const rated = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1])
    expect(rated).toBeLessThanOrEqual(exposureMax)
  })

  test('comes back within 2 s however often it fails', () => {
    const text = textOf(unit)
    for (const line of ['Restart=always', 'RestartSec=1', 'StartLimitIntervalSec=0'])
      expect(text).toMatch(new RegExp(`^${line}$`, 'm'))
  })
})

/** The names in a set of systemd's, sets in it included. */
const callsOf = async (set: string): Promise<Set<string>> => {
  const { stdout } = await call('systemd-analyze', ['syscall-filter', '--no-pager', set])
  const names = stdout.split('\n').flatMap((line) => /^ {4}(@?\w[\w-]*)/.exec(line)?.[1] ?? [])
  const found = new Set(names.filter((name) => !name.startsWith('@')))
  for (const inner of names.filter((name) => name.startsWith('@') && name !== set))
    for (const name of await callsOf(inner)) found.add(name)
  return found
}

test('whatever starts it bounds its memory alike', () => {
  const starts = [
    'main.js',
    'package.json',
    'docker/Dockerfile',
    ...units.map((unit) => `docker/systemd/${unit}`),
  ]
  for (const file of starts) {
    const text = readFileSync(join(root, file), 'utf8')
    const flags = text.match(/--(max-semi|initial-old)-space-size=\d+/g) ?? []
    expect([...new Set(flags)], file).toEqual(memoryFlags)
  }
})

test('the bridge asks the kernel for nothing that its unit forbids', async () => {
  const dir = newDir()
  const log = join(dir, 'strace')
  mkdirSync(join(dir, 'data'))
  const program = [...memoryFlags, join(root, 'main.js'), 'run']
  const child = spawn(
    'strace',
    [
      ...['-f', '-qq', '-o', log, '-e', 'signal=none', process.execPath, ...program],
      ...['--config', writeSite(dir, siteText()), '--data', join(dir, 'data')],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], detached: true },
  )
  const ended = new Promise((resolve) => child.once('close', resolve))
  const [, url] = await new Promise<RegExpExecArray>((resolve, reject) => {
    let said = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
      const ready = /^ready: .* at (http:\S+), data in /m.exec(said)
      if (ready) resolve(ready)
    })
    void ended.then(() => reject(new Error(`it ended, having said ${said}`)))
  })
  await fetch(`${url}/v1/presses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ device: 'lobby-button' }),
  })
  process.kill(-(child.pid as number), 'SIGTERM')
  await ended
  const used = new Set(
    [...readFileSync(log, 'utf8').matchAll(/^\d+ +(\w+)\(/gm)].map(([, name]) => name as string),
  )
  expect(used.size).toBeGreaterThan(40)
  const allowed = await callsOf('@system-service')
  const forbidden = await callsOf('@privileged')
  // SQLite gives its files to the owner of the database, as root only; the unit has a user of its own.
  used.delete('fchown')
  expect([...used].filter((name) => !allowed.has(name) || forbidden.has(name))).toEqual([])
})
