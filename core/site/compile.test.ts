import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { catalogue } from '../../config/fixtures/catalogue.ts'
import { loadText } from '../../config/load.ts'
import type { Json } from '../fact.ts'
import { compileSite } from './compile.ts'
import type { SiteConfig } from './config.ts'
import { revisionOf } from './revision.ts'
import type { Site } from './site.ts'

const good = readFileSync(new URL('../../config/fixtures/good.yaml', import.meta.url), 'utf8')

const compiled = (text = good): Site => {
  const { site, findings } = loadText(text, catalogue)
  if (!site) throw new Error(JSON.stringify(findings.filter(({ fatal }) => fatal)))
  return site
}

test('what a site was compiled from can be stored as JSON and compiles to the same site again', () => {
  const site = compiled()
  const stored = JSON.parse(JSON.stringify(site.source)) as SiteConfig
  const again = compileSite(stored, catalogue)
  expect(again).toEqual(site)
  expect(compiled(good.replace('Triage 2', 'Triage 3'))).not.toEqual({
    ...site,
    revision: expect.any(String),
    source: expect.anything(),
  })
  expect(again.revision).toBe(site.revision)
})

test('the revision changes with every value and with the order of plans, and with nothing else', () => {
  const { revision, source } = compiled()
  expect(revision).toMatch(/^[0-9a-f]{16}$/)
  const reordered = Object.fromEntries(Object.entries(source).reverse()) as SiteConfig
  expect(revisionOf(reordered)).toBe(revision)
  expect(compiled(`# a remark\n${good}`).revision).toBe(revision)
  expect(compiled(good.replace('limit: 15m', 'limit: 16m')).revision).not.toBe(revision)
  const plans = Object.fromEntries(Object.entries(source.plans).reverse())
  expect(revisionOf({ ...source, plans })).not.toBe(revision)
})

test('a stored config that no longer fits is refused with what is wrong', () => {
  const { source } = compiled()
  const devices = {
    ...source.devices,
    extra: { connector: 'gone', means: 'press' as const, input: { discrete: 1 } as Json },
  }
  expect(() => compileSite({ ...source, devices }, catalogue)).toThrow(/BAD_CONFIG|no connector `gone`/)
  expect(() => compileSite(source, new Map())).toThrow('no connector type `panel`')
  expect(() => compileSite({ ...source, plans: {} }, catalogue)).toThrow('at least one plan')
})

test('places know their parents, their neighbours both ways, and what they inherit', () => {
  const { places } = compiled()
  const triage = places.get('north/l2/ed/triage-2')!
  const hall = places.get('north/l2/ed/ed-hall')!
  expect(triage.parent).toBe(places.get('north/l2/ed'))
  expect(triage.beside).toEqual([hall])
  expect(hall.beside).toEqual([triage])
  expect(triage.targetMs).toBe(90_000)
  expect(places.get('north/l1/lobby')!.targetMs).toBe(300_000)
  expect(triage.address).toBe('1 Main St')
})

test('devices have parsed addresses, links, and only the capabilities that they offer', () => {
  const { devices } = compiled(
    good
      .replace('device_service }\n    sees', 'device_service, fixed: true }\n    sees')
      .replace('preset: "2", ', '')
      .replace('          - camera.preset: { to: nearest }\n', ''),
  )
  expect(devices.get('triage-2-button')).toMatchObject({
    input: { discrete: 4 },
    link: 'ed-panel',
    kind: 'duress',
    testEveryMs: 2_592_000_000,
  })
  expect(devices.get('cam-ed-3')!.link).toBe('cameras 10.0.9.3')
  expect([...devices.get('cam-ed-3')!.can]).toEqual(['camera.snapshot'])
  expect([...devices.get('triage-2-button')!.can]).toEqual([])
})

test('a door knows the fire inputs that stand at or above what it guards', () => {
  expect(compiled().devices.get('door-ed-w')!.door).toMatchObject({
    fireInputs: ['fire-panel'],
    lockable: true,
  })
  const text = good.replace(
    '  beacon:\n',
    '  fire-l2: { connector: ed-panel, input: { discrete: 13 }, means: fire, place: north/l2 }\n  beacon:\n',
  )
  const { devices } = compiled(text)
  expect(devices.get('door-ed-w')!.door!.fireInputs).toEqual(['fire-l2', 'fire-panel'])
  expect(devices.get('door-lobby')!.door!.fireInputs).toEqual(['fire-panel'])
})

test('a door of another system, or with any but a free way out, is never lockable', () => {
  for (const change of [
    'egress: delayed',
    'egress: controlled',
    'egress: unknown',
    'egress: free\n    owner: elevator',
  ]) {
    const { devices } = compiled(good.replace('egress: free\n    noise: none', change))
    expect(devices.get('door-ed-w')!.door!.lockable).toBe(false)
  }
})

test('a group has the contact paths of its members, each once', () => {
  const { responders } = compiled(
    good.replace(
      'group: [security, supervisor]',
      'group: [security, supervisor, both]\n  both:\n    group: [supervisor, security]',
    ),
  )
  expect(responders.get('everybody')!.paths.map(({ name }) => name)).toEqual(['security', 'supervisor'])
})

test('several ways to one responder are told apart', () => {
  const { responders } = compiled(
    good.replace(
      'page: { connector: pagers, id: "5550101", perceptible: vibrate }',
      'page: [ { connector: pagers, id: "5550101" }, { connector: pagers, id: "5550102" } ]',
    ),
  )
  expect(responders.get('supervisor')!.paths.map(({ name, address }) => [name, address])).toEqual([
    ['supervisor', { id: '5550101' }],
    ['supervisor#2', { id: '5550102' }],
  ])
})

test('the console is there without any config', () => {
  expect(compiled().connectors.get('console')?.connector.type).toBe('console')
})
