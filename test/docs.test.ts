import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadText } from '../config/load.ts'
import { catalogue } from '../connectors/index.ts'
import { errors } from '../core/error.ts'
import { generated } from '../docs/generate.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const list = (...args: string[]): string[] =>
  execFileSync('git', ['ls-files', ...args], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)
const files = [...new Set([...list(), ...list('--others', '--exclude-standard')])]

test.each([...generated()])('%s is what the schemas say', (file, text) => {
  expect(read(file)).toBe(text)
})

describe('error codes', () => {
  const documented = new Set(
    [...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code),
  )
  const sources = files.filter(
    (file) =>
      /^(api|cli|config|connectors|core)\//.test(file) && file.endsWith('.ts') && !file.endsWith('.test.ts'),
  )
  const used = new Set(
    sources
      .filter((file) => file !== 'core/error.ts')
      .flatMap((file) => [...read(file).matchAll(/'([A-Z][A-Z_]{3,})'/g)].map(([, code]) => code)),
  )

  test.each(Object.keys(errors))('%s is documented and used', (code) => {
    expect(documented).toContain(code)
    expect(used).toContain(code)
  })

  test('nothing else is documented', () => {
    expect([...documented].filter((code) => !((code as string) in errors))).toEqual([])
  })
})

test('every dependency has its reason, and every reason its dependency', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
    string,
    Record<string, string>
  >
  const [atRunTime, forDevelopment] = read('docs/dependencies.md').split('## For development')
  const named = (text: string | undefined) =>
    [...(text ?? '').matchAll(/^- `([^`]+)`: \w/gm)].map(([, name]) => name)
  expect(named(atRunTime).sort()).toEqual(Object.keys(dependencies ?? {}).sort())
  expect(named(forDevelopment).sort()).toEqual(Object.keys(devDependencies ?? {}).sort())
})

type Fields = Record<string, any>

/** Puts the places that a fragment names into a tree. */
const placesFor = (fragment: Fields): Fields => {
  const tree: Fields = {}
  const add = (path: string) => {
    let nodes = tree
    for (const key of path.split('/')) {
      nodes[key] ??= { level: 'zone', in: {} }
      nodes = nodes[key].in
    }
  }
  const walk = (value: unknown, key: string): void => {
    if (typeof value === 'string' && ['place', 'guards'].includes(key)) add(value)
    if (Array.isArray(value)) for (const inner of value) walk(inner, key)
    else if (value !== null && typeof value === 'object')
      for (const [name, inner] of Object.entries(value)) {
        if (key === 'sees') add(name)
        walk(inner, name)
      }
  }
  walk(fragment, '')
  return Object.keys(tree).length === 0 ? { house: { level: 'building' } } : tree
}

/** A fire input for each top place, as lockable doors need one. */
const firesFor = (places: Fields): Fields =>
  Object.fromEntries(
    Object.keys(places).map((place, index) => [
      `readers-fire-${place}`,
      { connector: 'readers-panel', input: { discrete: index }, means: 'fire', place },
    ]),
  )

/** What a fragment leaves out: the site, the places that it names, fire inputs, and somebody who is told. */
const wholeOf = (fragment: Fields, places = placesFor(fragment)): Fields => ({
  site: { name: 'Site of a README', timezone: 'UTC' },
  places,
  plans: { 'catch-all': { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: 'readers' } }] }] } },
  ...fragment,
  connectors: {
    'readers-pagers': { type: 'snpp', host: '127.0.0.1' },
    'readers-panel': { type: 'modbus', host: '127.0.0.1' },
    ...fragment['connectors'],
  },
  devices: { ...firesFor(places), ...fragment['devices'] },
  responders: {
    readers: { page: { connector: 'readers-pagers', id: '1', perceptible: 'vibrate' } },
    ...fragment['responders'],
  },
})

describe('every config in a README is one that the loader takes', () => {
  const blocks = files
    .filter((file) => file === 'README.md' || /^connectors\/[\w-]+(\/[\w-]+)?\/README\.md$/.test(file))
    .flatMap((file) =>
      [...read(file).matchAll(/^```yaml( fragment)?\n([\s\S]*?)^```/gm)].map(([, mark, text], index) => ({
        name: `${file} #${index + 1}${mark ?? ''}`,
        text: text as string,
        isFragment: mark !== undefined,
      })),
    )

  test('there are some', () => {
    expect(blocks.length).toBeGreaterThan(4)
  })

  test.each(blocks)('$name', ({ text, isFragment }) => {
    const value = parse(text) as Fields
    // A piece of something: it must at least be YAML.
    if (isFragment) return expect(typeof value).toBe('object')
    const whole = 'site' in value ? text : JSON.stringify(wholeOf(value))
    const { findings } = loadText(whole, catalogue)
    expect(
      findings.filter(({ fatal }) => fatal).map(({ path, message }) => `${path.join('.')}: ${message}`),
    ).toEqual([])
  })
})
