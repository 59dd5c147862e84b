import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { cleanUp, newDir, run } from './fixtures/program.ts'
import { siteText, writeSite } from './fixtures/site.ts'

const demo = join(import.meta.dirname, '..', 'config', 'demo', 'site.yaml')

afterEach(cleanUp)

test('a good config ends with 0, what it holds, and the shortest press of each input', async () => {
  const { code, stdout } = await run('check', demo)
  expect(code).toBe(0)
  expect(stdout).toContain('may run: Alder Creek')
  expect(stdout).toMatch(/triage-1-button +sure to see every press/)
  expect(stdout).toMatch(/fire-panel +sure to see presses of 60 ms and longer/)
})

test('the demo needs nothing but its secrets', async () => {
  const { stdout } = await run('check', demo, '--json')
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: { message: string }[] }
  expect(ok).toBe(true)
  const unexpected = findings.filter(({ message }) => !/sure to see|\(on this machine\)/.test(message))
  expect(unexpected).toEqual([])
})

test('a bad config ends with 2 and names file, line and column of each finding', async () => {
  const text = siteText()
    .replace('kind: weapon }', 'kind: weapons }')
    .replace('guards: [house/lobby]', 'guards: [house/loby]')
  const file = writeSite(newDir(), text)
  const { code, stdout } = await run('check', file)
  expect(code).toBe(2)
  const lines = stdout.split('\n').filter((line) => line.startsWith(file))
  expect(lines.some((line) => /:\d+:\d+: .*weapons?/.test(line))).toBe(true)
  expect(lines.some((line) => /:\d+:\d+: .*house\/loby.*house\/lobby/.test(line))).toBe(true)
})

test('a file that is not there is said to be so', async () => {
  const { code, stdout } = await run('check', '/nowhere/site.yaml')
  expect(code).toBe(2)
  expect(stdout).toContain("/nowhere/site.yaml:1:1: the config can't be read")
})
