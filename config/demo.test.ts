import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { catalogue } from '../connectors/index.ts'
import type { List } from './csv.ts'
import { type Loaded, loadText } from './load.ts'

const read = (file: string): string => readFileSync(new URL(`./demo/${file}`, import.meta.url), 'utf8')
const text = read('site.yaml')
const badges = read('badges.csv')

const load = (changed: string, list = badges): Loaded => {
  const lists = new Map<string, List>([
    ['badges.csv', { path: 'badges.csv', text: list, changedAt: 1_790_000_000_000 }],
  ])
  return loadText(changed, catalogue, 'site.yaml', lists)
}

const fatal = (loaded: Loaded): string[] =>
  loaded.findings
    .filter((finding) => finding.fatal)
    .map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`)

test('the demo site is good for the real connectors', () => {
  const loaded = load(text)
  expect(fatal(loaded)).toEqual([])
  expect(loaded.site).not.toBeNull()
})

test('there is nothing to advise', () => {
  const advice = load(text).findings.map(({ message }) => message)
  expect(advice.filter((message) => !message.startsWith('sure to see '))).toEqual([])
})

test('its badges come from the list, with who carries them', () => {
  const { site } = load(text)
  expect([...(site?.devices.keys() ?? [])].filter((name) => name.startsWith('badge-'))).toEqual([
    'badge-0117',
    'badge-0118',
    'badge-0119',
  ])
  expect(site?.assignments.get('badge-0119')).toMatchObject({ person: 'porter-4', role: 'porter' })
})

test('what is wrong for a real connector is found where it stands', () => {
  const lines = text.split('\n')
  const line = lines.findIndex((one) => one.includes('type: modbus')) + 1
  const typo = fatal(load(text.replace(/type: modbus\n {4}host/, 'type: modbus\n    hots')))
  expect(typo).toContainEqual(
    expect.stringMatching(
      new RegExp(`^site.yaml:${line + 1}:\\d+ unknown field \`hots\`: did you mean \`host\``),
    ),
  )
  const secret = fatal(load(text.replace(/password: \{ env: DEMO_CAMERA_PASSWORD \}/, 'password: hunter2')))
  expect(secret).toHaveLength(1)
  expect(secret[0]).toContain('{ env: NAME }')
  expect(secret[0]).not.toContain('hunter2')
})

test('what is wrong in the list is found in its line', () => {
  expect(fatal(load(text, badges.replace('0118', '0117')))).toContainEqual(
    expect.stringMatching(/^badges\.csv:3:1 the device `badge-0117` is there already/),
  )
})
