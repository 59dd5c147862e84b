import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Document, isMap, isSeq, parseDocument } from 'yaml'
import { catalogue } from '../../config/fixtures/catalogue.ts'
import { loadText } from '../../config/load.ts'

const good = readFileSync(new URL('../../config/fixtures/good.yaml', import.meta.url), 'utf8')

type Path = readonly (string | number)[]

/** A bad config, and what must not be said about it. */
interface Bad {
  readonly how: string
  readonly text: string
  readonly secret?: string
}

/** The good config in block style, so that each field has a line of its own. */
const fresh = (): Document => {
  const document = parseDocument(good)
  const unfold = (node: unknown): void => {
    if (isMap(node) || isSeq(node)) node.flow = false
    if (isMap(node)) for (const pair of node.items) unfold(pair.value)
    if (isSeq(node)) for (const item of node.items) unfold(item)
  }
  unfold(document.contents)
  return document
}

const edited = (edit: (document: Document) => void): string => {
  const document = fresh()
  edit(document)
  return document.toString({ lineWidth: 0 })
}

/** Every node of the good config. */
const nodes: { path: Path; is: 'map' | 'list' | 'scalar' }[] = []
const collect = (node: unknown, path: Path): void => {
  if (path.length > 0) nodes.push({ path, is: isMap(node) ? 'map' : isSeq(node) ? 'list' : 'scalar' })
  if (isMap(node)) for (const { key, value } of node.items) collect(value, [...path, String(key)])
  if (isSeq(node)) for (const [index, item] of node.items.entries()) collect(item, [...path, index])
}
collect(parseDocument(good).contents, [])

const under = (path: Path, ...pattern: (string | RegExp)[]): boolean =>
  path.length === pattern.length &&
  pattern.every((part, index) =>
    typeof part === 'string' ? part === '*' || part === path[index] : part.test(String(path[index])),
  )

const isPlace = (path: Path): boolean =>
  path[0] === 'places' &&
  path.length % 2 === 0 &&
  path.every((step, i) => i === 0 || i % 2 === 1 || step === 'in')

/** Keys whose absence is always wrong: the schema requires them. */
const required = nodes
  .map(({ path }) => path)
  .filter(
    (path) =>
      under(path, /^(site|places|connectors|plans)$/) ||
      under(path, 'site', '*') ||
      (path.at(-1) === 'level' && isPlace(path.slice(0, -1))) ||
      under(path, 'connectors', '*', /^(type|host|username|unit)$/) ||
      under(path, 'connectors', 'cameras', 'password') ||
      under(path, 'connectors', 'doors', 'url') ||
      under(path, 'devices', '*', 'connector') ||
      under(path, 'devices', '*', /put$/) ||
      under(path, 'devices', '*', /put$/, '*') ||
      under(path, 'responders', '*', /^(page|group)$/) ||
      under(path, 'responders', '*', 'page', /^(connector|id)$/) ||
      under(path, 'plans', '*', /^(when|steps)$/) ||
      under(path, 'plans', '*', 'steps', '*', /^(at|do)$/) ||
      path.at(-1) === 'to' ||
      (path.at(-2) === 'relay.set' && path.at(-1) === 'on') ||
      (path.at(-2) === 'door.lockdown' && path.at(-1) === 'limit'),
  )

/** Keys that are fields, as against names that people choose. */
const fields = nodes
  .map(({ path }) => path)
  .filter(
    (path) =>
      typeof path.at(-1) === 'string' &&
      !(isPlace(path) && path.length > 1) &&
      !under(path, /^(connectors|devices|responders|plans)$/, '*') &&
      !under(path, 'devices', '*', 'sees', '*'),
  )

const durations = nodes
  .map(({ path }) => path)
  .filter((path) => ['at', 'expires', 'limit', 'test', 'poll', 'target'].includes(String(path.at(-1))))
  .filter((path) => path[0] !== 'places' || path.at(-1) === 'target')

/** Scalars that name something else. */
const references = nodes
  .filter(({ is }) => is === 'scalar')
  .map(({ path }) => path)
  .filter(
    (path) =>
      path.at(-1) === 'connector' ||
      path.at(-1) === 'place' ||
      path.at(-1) === 'to' ||
      path.at(-2) === 'beside' ||
      path.at(-2) === 'guards' ||
      path.at(-2) === 'group',
  )

const secrets: Path[] = [
  ['connectors', 'cameras', 'password'],
  ['connectors', 'doors', 'password'],
]

const from = <T>(items: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...items)
const name = (path: Path): string => path.join('.')

const deleted = from(required).map(
  (path): Bad => ({ how: `without ${name(path)}`, text: edited((document) => void document.deleteIn(path)) }),
)

/** No field has a `q` in its name, so a name with one is never another field. */
const renamed = fc
  .tuple(from(fields), fc.nat(), fc.constantFrom('q', 'Q', '-q', 'qq'))
  .map(([path, at, letter]): Bad => {
    const key = String(path.at(-1))
    const cut = at % (key.length + 1)
    const typo = cut === 0 && letter === '-q' ? `q${key}` : `${key.slice(0, cut)}${letter}${key.slice(cut)}`
    const text = edited((document) => {
      const map = document.getIn(path.slice(0, -1), true)
      const pair = isMap(map ?? document.contents)
        ? ((map ?? document.contents) as any).items.find((item: any) => String(item.key) === key)
        : null
      pair.key.value = typo
    })
    return { how: `${name(path)} written ${typo}`, text }
  })

/** A map where a text, number or list belongs, and a number where a map or list belongs. */
const mistyped = fc.tuple(from(nodes), fc.integer()).map(([{ path, is }, n]): Bad => {
  const text = edited((document) =>
    document.setIn(path, document.createNode(is === 'scalar' ? { zz: n } : n)),
  )
  return { how: `${name(path)} as another type`, text }
})

const hex = fc.stringMatching(/^[0-9a-f]{6,20}$/)

const dangling = fc.tuple(from(references), hex).map(
  ([path, digits]): Bad => ({
    how: `${name(path)} to nowhere`,
    text: edited((document) => document.setIn(path, `nowhere-${digits}`)),
  }),
)

const plain = fc.tuple(from(secrets), fc.stringMatching(/^[a-zA-Z*!@#%&:-]{3}S3CR3T[a-zA-Z0-9 ]{6,20}$/)).map(
  ([path, secret]): Bad => ({
    how: `${name(path)} in plain`,
    text: edited((document) => document.setIn(path, secret)),
    secret: 'S3CR3T',
  }),
)

/** Never a number directly followed by ms, s, m, h or d. */
const noDuration = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.nat().map(String),
  fc.nat().map((n) => `${n} s`),
  fc.nat().map((n) => `-${n}s`),
  fc.nat().map((n) => `${n}${n % 2 ? 'sec' : 'S'}`),
  fc.nat().map((n) => `PT${n}S`),
  fc.constantFrom('', 's', '1e3s', '1,5s', '1h30m', 'soon', '0x10s', '.5s'),
)

const timeless = fc.tuple(from(durations), noDuration).map(
  ([path, value]): Bad => ({
    how: `${name(path)}: ${JSON.stringify(value)}`,
    text: edited((document) => document.setIn(path, value)),
  }),
)

const lines = fresh().toString({ lineWidth: 0 }).split('\n')
const keyed = lines.flatMap((line, index) => (/^ *[\w./-]+:/.test(line) ? [index] : []))
const indent = (line: string): number => line.search(/\S|$/)
/** Lines after a complete entry of the same map: any other indentation breaks the map. */
const aligned = keyed.filter(
  (index) =>
    index > 0 &&
    /^ *[\w./-]+: \S/.test(lines[index - 1]!) &&
    indent(lines[index]!) === indent(lines[index - 1]!),
)
const withLines = (change: (all: string[]) => void): string => {
  const all = [...lines]
  change(all)
  return all.join('\n')
}

const doubled = fc.tuple(from(keyed), fc.nat()).map(([index, n]): Bad => {
  const [key] = /^ *[\w./-]+:/.exec(lines[index]!)!
  return { how: `line ${index + 1} twice`, text: withLines((all) => all.splice(index, 0, `${key} ${n}`)) }
})

const shifted = fc.tuple(from(aligned), fc.constantFrom(' ', '  ', '\t', '-')).map(([index, by]): Bad => {
  const line = lines[index]!
  const moved = by === '-' && line.startsWith(' ') ? line.slice(1) : `${by === '-' ? ' ' : by}${line}`
  return { how: `line ${index + 1} shifted`, text: withLines((all) => all.splice(index, 1, moved)) }
})

const torn = fc.tuple(from(keyed), fc.constantFrom('{', '[', '"', "'", '}', ']', '&a *a', '@', '`', '%')).map(
  ([index, junk]): Bad => ({
    how: `${junk} in line ${index + 1}`,
    text: withLines((all) => all.splice(index, 1, `${/^ *[\w./-]+:/.exec(all[index]!)![0]} ${junk}`)),
  }),
)

const lobby = ['plans', 'lobby-weapon', 'steps', 0, 'do', 1]
const lockdown = [...lobby, 'door.lockdown']
const dangers: readonly [string, (document: Document, word: string) => void][] = [
  ['a lock without limit', (document) => void document.deleteIn([...lockdown, 'limit'])],
  ['a lock on a delayed door', (document) => document.setIn(['devices', 'door-lobby', 'egress'], 'delayed')],
  [
    'a lock on a controlled door',
    (document) => document.setIn(['devices', 'door-lobby', 'egress'], 'controlled'),
  ],
  ['a lock on an unknown door', (document) => void document.deleteIn(['devices', 'door-lobby', 'egress'])],
  [
    'a lock on the door of another',
    (document, word) => document.setIn(['devices', 'door-lobby', 'owner'], word),
  ],
  ['no fire input', (document) => void document.deleteIn(['devices', 'fire-panel'])],
  [
    'a fire input that means nothing',
    (document) => document.setIn(['devices', 'fire-panel', 'means'], 'nothing'),
  ],
  [
    'a fire input elsewhere',
    (document) => document.setIn(['devices', 'fire-panel', 'place'], 'north/l1/security-office'),
  ],
  ['a lock in a hold-up', (document) => document.setIn(['plans', 'lobby-weapon', 'when', 'kind'], 'hold-up')],
  ['a lock for any kind', (document) => void document.deleteIn(['plans', 'lobby-weapon', 'when', 'kind'])],
  [
    'a lockdown without reason',
    (document) => document.setIn(['plans', 'lobby-weapon', 'when', 'kind'], 'duress'),
  ],
  ['a lock in silence', (document) => document.setIn(['plans', 'lobby-weapon', 'silent'], true)],
  [
    'a release by a plan',
    (document) => document.setIn(lobby, document.createNode({ 'door.release': { to: 'guarding' } })),
  ],
  [
    'nobody told at once',
    (document, word) => document.setIn(['plans', 'anything', 'steps', 0, 'at'], `${1 + (word.length % 9)}s`),
  ],
  ['nothing for the unknown', (document) => void document.deleteIn(['plans', 'anything'])],
]

const dangerous = fc
  .tuple(from(dangers), hex)
  .map(
    ([[how, edit], word]): Bad => ({ how, text: `# ${word}\n${edited((document) => edit(document, word))}` }),
  )

const bad = fc.oneof(
  { weight: 1, arbitrary: deleted },
  { weight: 5, arbitrary: renamed },
  { weight: 4, arbitrary: mistyped },
  { weight: 3, arbitrary: dangling },
  { weight: 2, arbitrary: plain },
  { weight: 4, arbitrary: timeless },
  { weight: 3, arbitrary: doubled },
  { weight: 3, arbitrary: shifted },
  { weight: 3, arbitrary: torn },
  { weight: 2, arbitrary: dangerous },
)

test('the config that the bad ones are made of is good', () => {
  expect(loadText(lines.join('\n'), catalogue).site).not.toBeNull()
})

test('of 1,000 generated bad configs none starts, and each names a line', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(bad, ({ how, text, secret }) => {
      seen.add(text)
      const { site, findings } = loadText(text, catalogue, 'site.yaml')
      expect(site, how).toBeNull()
      const fatal = findings.filter((finding) => finding.fatal)
      expect(fatal.length, how).toBeGreaterThan(0)
      const height = text.split('\n').length
      for (const { file, line, column, message } of fatal) {
        expect(file).toBe('site.yaml')
        expect(line >= 1 && line <= height && column >= 1, `${how}: ${line}:${column} of ${height}`).toBe(
          true,
        )
        expect(message.length, how).toBeGreaterThan(10)
        if (secret) expect(message, how).not.toContain(secret)
      }
    }),
    { numRuns: 1_400, seed: 20_260_105 },
  )
  expect(seen.size).toBeGreaterThanOrEqual(1_000)
})
