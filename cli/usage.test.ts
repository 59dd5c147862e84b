import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, run, start } from './fixtures/program.ts'

const names = [
  'demo',
  'run',
  'worker',
  'check',
  'probe',
  'trust',
  'press',
  'doors',
  'register',
  'service',
  'walk-test',
  'devices',
  'backup',
  'restore',
  'healthy',
  'trail',
  'schema',
]

afterEach(cleanUp)

test.each(['main.ts', 'main.js'])('node %s is the program', (main) => {
  const path = join(import.meta.dirname, '..', main)
  expect(execFileSync(process.execPath, [path, '--version'], { encoding: 'utf8' })).toMatch(
    /^\d+\.\d+\.\d+\n$/,
  )
})

describe('help', () => {
  test('names every command, with examples and exit codes', async () => {
    const { code, stdout } = await run('--help')
    expect(code).toBe(0)
    for (const name of names) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'))
    expect(stdout).toContain('Examples:')
    expect(stdout).toContain('Exit codes:')
  })

  test.each(names.filter((name) => name !== 'trail'))('%s shows examples', async (name) => {
    const { code, stdout } = await run(name, '--help')
    expect(code).toBe(0)
    expect(stdout).toContain(`$ duress-bridge ${name}`)
  })

  test('the version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8'))
    expect((await run('--version')).stdout.trim()).toBe(version)
  })
})

describe('wrong usage ends with 2 and one clear line', () => {
  test.each([
    [['chek'], /unknown command 'chek'[\s\S]*Did you mean check/],
    [['check'], /missing required argument 'file'/],
    [['run'], /required option '--config <file>'/],
    [['press', 'x', '--kind', 'fire'], /Allowed choices are duress/],
    [['trail', 'verify', '--data', '.', '--head', '7'], /SEQ:CHAIN/],
  ])('%j', async (args, message) => {
    const { code, stderr } = await run(...args)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/^ +at /m)
  })
})

describe('operating errors', () => {
  test('end with 1 and say what, where and what to do, without a stack', async () => {
    const { code, stderr } = await run('doors', '--url', 'http://127.0.0.1:9')
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^duress-bridge: no bridge answers at http:\/\/127\.0\.0\.1:9: [^\n]+ \[UNREACHABLE\] Check/,
    )
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  test('show a stack where DURESS_DEBUG asks for one', async () => {
    const program = start(['doors', '--url', 'http://127.0.0.1:9'], { DURESS_DEBUG: '1' })
    await program.ended
    expect(program.stderr).toMatch(/^ +at /m)
  })
})

test('schemas are JSON Schema', async () => {
  const config = JSON.parse((await run('schema')).stdout)
  expect(config.properties.plans).toBeDefined()
  const event = JSON.parse((await run('schema', 'event')).stdout)
  expect(event.$schema).toContain('2020-12')
  expect(event.properties.kind).toBeDefined()
})
