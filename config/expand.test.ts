import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { catalogue } from './fixtures/catalogue.ts'
import { loadConfig, loadText } from './load.ts'

const head = `
site: { name: Mercy, timezone: America/Chicago }
places: { north: { level: building, in: { room-1: { level: room }, room-2: { level: room }, room-3: { level: room } } } }
connectors: { panel: { type: panel, host: 127.0.0.1, unit: 1 }, hooks: { type: hook }, pagers: { type: pager, host: 127.0.0.1 } }
responders: { security: { page: { connector: pagers, id: "5550100" } } }
plans: { all: { when: {}, steps: [{ at: 0s, do: [page.send: { to: security }] }] } }
devices:
`
const changedAt = Date.parse('2026-11-01T12:00:00Z')

const load = (devices: string, csv?: string) => {
  const lists = csv === undefined ? [] : [['badges.csv', { path: 'lists/badges.csv', text: csv, changedAt }]]
  return loadText(head + devices, catalogue, 'site.yaml', new Map(lists as never))
}
const fatal = ({ findings }: ReturnType<typeof load>) =>
  findings.filter((one) => one.fatal).map(({ file, line, message }) => `${file}:${line} ${message}`)

const badges = `  badge: { from: badges.csv, connector: hooks, input: { source: "{tag}" }, person: "{employee}", role: "{job}", since: "{since}", until: "{until}" }`

it('a list makes a device of each row, and an assignment of who carries it', () => {
  const csv = `tag,employee,job,since,until
0117,J. Ortiz,RN,2026-11-01,
0118,"O'Neil, Ann",,2026-11-02 07:00,2026-11-02 19:00
0119,,,,
`
  const { site, findings } = load(badges, csv)
  expect(fatal({ site, findings } as never)).toEqual([])
  expect([...site!.devices.keys()]).toEqual(['badge-0117', 'badge-0118', 'badge-0119'])
  expect(site!.devices.get('badge-0117')?.input).toEqual({ source: '0117' })
  expect(site!.assignments.get('badge-0117')).toEqual({
    person: 'J. Ortiz',
    role: 'RN',
    since: Date.parse('2026-11-01T05:00:00Z'),
    until: null,
    by: 'lists/badges.csv',
  })
  expect(site!.assignments.get('badge-0118')).toMatchObject({
    person: "O'Neil, Ann",
    role: null,
    until: Date.parse('2026-11-03T01:00:00Z'),
  })
  expect(site!.assignments.has('badge-0119')).toBe(false)
})

it('an assignment without a date is as old as its list', () => {
  const { site } = load(badges, 'tag,employee,job,since,until\n1,J. Ortiz,RN,,\n')
  expect(site!.assignments.get('badge-1')?.since).toBe(changedAt)
})

it('names of people are no part of the config that is stored', () => {
  const { site } = load(badges, 'tag,employee,job,since,until\n1,J. Ortiz,RN,,\n')
  expect(JSON.stringify(site!.source)).not.toContain('Ortiz')
})

it('another carrier is no other revision of the config', () => {
  const csv = (who: string) => `tag,employee,job,since,until\n1,${who},RN,,\n`
  expect(load(badges, csv('A')).site!.revision).toBe(load(badges, csv('B')).site!.revision)
})

it('devices are named as the config says', () => {
  const { site } = load(
    `${badges.slice(0, -2)}, name: "tag-{tag}" }`,
    'tag,employee,job,since,until\n7,,,,\n',
  )
  expect([...site!.devices.keys()]).toEqual(['tag-7'])
})

it.each([
  [
    'a column that is missing',
    badges,
    'tag,employe,job,since,until\n1,,,,\n',
    ['site.yaml:8 there is no column `employee` in badges.csv'],
  ],
  [
    'a row too short',
    badges,
    'tag,employee,job,since,until\n1,,,,\n2,x\n',
    ['lists/badges.csv:3 this row has another number of columns'],
  ],
  [
    'a quote left open',
    badges,
    'tag,employee,job,since,until\n1,"x,,,\n',
    ['lists/badges.csv:2 a quote is not closed'],
  ],
  ['an empty list', badges, '', ['lists/badges.csv:1 it is empty']],
  [
    'the same row twice',
    badges,
    'tag,employee,job,since,until\n1,,,,\n1,,,,\n',
    ['lists/badges.csv:3 the device `badge-1` is there already'],
  ],
  [
    'a date that is none',
    badges,
    'tag,employee,job,since,until\n1,x,,30.2.26,\n',
    ['lists/badges.csv:2 `30.2.26` is no date'],
  ],
  [
    'a name that can not be',
    badges,
    'tag,employee,job,since,until\na b,,,,\n',
    ["lists/badges.csv:2 `badge-a b` can't be used as a name"],
  ],
  ['a list that is not there', badges, undefined, ["site.yaml:8 `badges.csv` can't be read"]],
])('%s is said where it is to be mended', (_, devices, csv, expected) => {
  const said = fatal(load(devices, csv))
  expect(said).toHaveLength(expected.length)
  for (const [index, text] of expected.entries()) expect(said[index]).toContain(text)
})

it('what is wrong in a device of a list is said at its row', () => {
  const devices =
    '  door: { from: badges.csv, connector: panel, input: { discrete: 1 }, place: "north/{room}" }'
  expect(fatal(load(devices, 'n,room\n1,room-1\n2,room-9\n'))).toContainEqual(
    expect.stringContaining('lists/badges.csv:3 there is no place `north/room-9`'),
  )
})

it('a range makes a device of each number, in step', () => {
  const devices =
    '  ward-{1..3}: { connector: panel, input: { discrete: "{20..22}" }, place: "north/room-{1..3}" }'
  const { site, findings } = load(devices)
  expect(fatal({ site, findings } as never)).toEqual([])
  const made = [...site!.devices.values()].map(({ name, input, place }) => [name, input, place?.path])
  expect(made).toEqual([1, 2, 3].map((n) => [`ward-${n}`, { discrete: 19 + n }, `north/room-${n}`]))
})

it.each([
  [
    'of different lengths',
    'ward-{1..3}: { connector: panel, input: { discrete: "{20..23}" } }',
    'of different lengths: 3, 4',
  ],
  ['that counts down', 'ward-{3..1}: { connector: panel, input: { discrete: 1 } }', 'a range counts up'],
  [
    'that is endless',
    'ward-{1..999999999}: { connector: panel, input: { discrete: 1 } }',
    'at most 10000 devices',
  ],
])('a range %s is refused at its line', (_, device, message) => {
  expect(fatal(load(`  ${device}`))).toContainEqual(
    expect.stringMatching(new RegExp(`^site.yaml:8 .*${message}`)),
  )
})

it('lists are read from beside the config', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'duress-lists-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  writeFileSync(join(dir, 'site.yaml'), head + badges)
  writeFileSync(join(dir, 'badges.csv'), '\uFEFFtag,employee,job,since,until\r\n1,x,,,\r\n')
  const { site } = await loadConfig(join(dir, 'site.yaml'), catalogue)
  expect([...site!.devices.keys()]).toEqual(['badge-1'])
})

it('any text as a list gives findings or devices, and never throws', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200, unit: 'binary' }), (text) => {
      const { site, findings } = load(badges, `tag,employee,job,since,until\n${text}`)
      expect(site !== null || findings.some((one) => one.fatal)).toBe(true)
    }),
    { numRuns: 300 },
  )
})
