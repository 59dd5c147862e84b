import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { catalogue } from '../connectors/index.ts'
import { loadText } from './load.ts'

const text = readFileSync(new URL('./demo/site.yaml', import.meta.url), 'utf8')

const fatal = (changed: string): string[] =>
  loadText(changed, catalogue, 'site.yaml')
    .findings.filter((finding) => finding.fatal)
    .map(({ line, column, message }) => `${line}:${column} ${message}`)

test('the demo site is good for the real connectors', () => {
  expect(fatal(text)).toEqual([])
  expect(loadText(text, catalogue).site).not.toBeNull()
})

test('what is wrong for a real connector is found where it stands', () => {
  const lines = text.split('\n')
  const line = lines.findIndex((one) => one.includes('type: modbus')) + 1
  const typo = fatal(text.replace('type: modbus, host', 'type: modbus, hots'))
  expect(typo).toContainEqual(
    expect.stringMatching(new RegExp(`^${line}:\\d+ unknown field \`hots\`: did you mean \`host\``)),
  )
  const secret = fatal(text.replace(/password: \{ env: DEMO_CAMERA_PASSWORD \}/, 'password: hunter2'))
  expect(secret).toHaveLength(1)
  expect(secret[0]).toContain('{ env: NAME }')
  expect(secret[0]).not.toContain('hunter2')
})
