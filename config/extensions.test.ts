import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { catalogue } from '../connectors/index.ts'
import { partition } from '../core/runner/part.ts'
import { compileSite } from '../core/site/compile.ts'
import { type Loaded, loadConfig } from './load.ts'

const bell = new URL('../test/conformance/bell/index.ts', import.meta.url)
let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'extensions-'))
})
afterAll(() => rm(dir, { recursive: true }))

/** What stands in a module beside the import of a sound declaration. */
const modules = {
  'bell.js': 'export default { ...bell, module: import.meta.url }',
  'again.js': 'export default { ...bell, module: import.meta.url }',
  'snpp.js': "export default { ...bell, type: 'snpp', module: import.meta.url }",
  'throws.js': "throw new Error('no licence found')",
  'garbage.js': 'export default }{',
  'waits.js': 'await new Promise(() => {}); export default bell',
  'loops.js': 'for (;;) {}',
  'exits.js': 'process.exit(4)',
  'fills.js': 'const all = []; for (;;) all.push(new Array(10000).fill(all.length))',
  'nothing.js': 'export const type = 7',
  'number.js': 'export default 7',
  'newer.js': 'export default { ...bell, contract: 2, module: import.meta.url }',
  'elsewhere.js': 'export default bell',
  'shapeless.js': 'export default { ...bell, config: {}, module: import.meta.url }',
} as const

const load = async (extensions: readonly string[], isolate = ''): Promise<Loaded> => {
  const head = `import bell from '${bell.href}'\n`
  for (const [name, text] of Object.entries(modules)) await writeFile(join(dir, name), head + text)
  const config = `site: { name: Test, timezone: UTC }
extensions:
${extensions.map((path) => `  - ${path}`).join('\n')}
places: { hall: { level: room } }
connectors:
  tower: { type: bell, port: 7, password: { env: PATH }${isolate} }
  pagers: { type: snpp, host: paging.example.org }
devices:
  button: { connector: tower, input: { button: 1 }, place: hall }
responders:
  security: { page: { connector: pagers, id: "5550100", perceptible: vibrate } }
plans:
  all: { when: {}, steps: [ { at: 0s, do: [ { page.send: { to: security } } ] } ] }
`
  await writeFile(join(dir, 'site.yaml'), config)
  return loadConfig(join(dir, 'site.yaml'), catalogue)
}

const fatal = ({ findings }: Loaded) =>
  findings
    .filter((finding) => finding.fatal)
    .map(({ line, column, message }) => `${line}:${column} ${message}`)

test('a connector of one’s own is a module that the config names; its links are isolated', async () => {
  const { site, findings } = await load(['bell.js'])
  expect(findings.filter((finding) => finding.fatal)).toEqual([])
  expect(site?.connectors.get('tower')).toMatchObject({ isolate: true, connector: { extension: true } })
  expect(site?.connectors.get('pagers')).toMatchObject({ isolate: false })
  expect(partition(site!).get('tower')?.isolate).toBe(true)
})

test('the config that a trail keeps compiles to the same site again', async () => {
  const { site } = await load(['bell.js'])
  const again = compileSite(JSON.parse(JSON.stringify(site!.source)), site!.catalogue)
  expect(again.revision).toBe(site!.revision)
  expect(again.connectors.get('tower')).toMatchObject({ isolate: true })
})

test('a path may lead out of the folder of the config, to TypeScript as well', async () => {
  const { site } = await load([relative(dir, bell.pathname)])
  expect(site?.connectors.has('tower')).toBe(true)
})

test('without a thread is possible, and advised against', async () => {
  const { site, findings } = await load(['bell.js'], ', isolate: false')
  expect(site?.connectors.get('tower')).toMatchObject({ isolate: false })
  expect(findings.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(
      /without a thread of its own a defect of the extension `bell` can stop the whole bridge/,
    ),
  )
})

test('an extension is not on workers', async () => {
  const { findings } = await load(['bell.js'], ', runs-on: edge')
  expect(findings.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/`bell` is an extension, which workers do not have/),
  )
})

test.each([
  ['missing.js', /there is no such file beside the config/],
  ['throws.js', /it can't be imported: no licence found/],
  ['garbage.js', /it can't be imported: /],
  ['waits.js', /its import waits for what never comes/],
  ['loops.js', /its import does not end within 10 s/],
  ['exits.js', /it ends the program when it is imported \(exit code 4\)/],
  ['fills.js', /its import needs more than 128 MB of memory: a leak\?/],
  ['nothing.js', /it has no default export/],
  ['number.js', /its default export is no connector/],
  ['newer.js', /`contract`: this program speaks contract 1/],
  ['elsewhere.js', /its `module` must be its own import.meta.url/],
  ['shapeless.js', /`config`: not a zod schema/],
  ['snpp.js', /the program has a connector of type `snpp` already/],
])('%s starts nothing, and is told with line and column', async (name, words) => {
  const loaded = await load(['bell.js', name])
  expect(loaded.site).toBeNull()
  const [first, ...more] = fatal(loaded)
  expect(first).toMatch(/^4:5 /)
  expect(first).toMatch(words)
  expect(first).toContain(`${name}: `)
  expect(more).toEqual([])
})

test('two of one type', async () => {
  expect(fatal(await load(['bell.js', 'again.js']))).toEqual([
    '4:5 again.js: another extension is of type `bell` already',
  ])
})

test('more than 50 are not even tried', async () => {
  const loaded = await load(Array.from({ length: 51 }, (_, n) => `missing-${n}.js`))
  expect(loaded.site).toBeNull()
  expect(fatal(loaded).filter((line) => /no such file/.test(line))).toHaveLength(50)
})
