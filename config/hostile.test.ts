import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isMap, isSeq, parseDocument } from 'yaml'
import { catalogue } from './fixtures/catalogue.ts'
import { loadText } from './load.ts'

const good = readFileSync(new URL('./fixtures/good.yaml', import.meta.url), 'utf8')

/** Whatever it is, it is answered: a site, or at least one fatal finding in the text. */
const isAnswered = (text: string): void => {
  const { site, findings } = loadText(text, catalogue)
  const fatal = findings.filter((finding) => finding.fatal)
  expect(site === null).toBe(fatal.length > 0)
  const height = text.split(/\r\n|\r|\n/).length
  for (const { line, column } of findings) expect(line >= 1 && line <= height && column >= 1).toBe(true)
}

test('any text is answered', () => {
  const yamlish = fc.array(
    fc.oneof(
      fc.constantFrom(
        ...'{}[]:,-?&*!|>\'"%@`#~<\t\n\r \u0000\ufeff\u2028',
        '\n  ',
        ': ',
        '- ',
        '---\n',
        '&a ',
        '*a',
        '<<: ',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('site', 'places', 'plans', 'when', 'in', 'constructor', 'toString', '__proto__'),
    ),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(yamlish, (parts) => isAnswered(parts.join(''))),
    { numRuns: 1_000 },
  )
})

test('a good config with bytes changed, lost or doubled is answered', () => {
  const edit = fc.tuple(fc.nat(good.length), fc.nat(40), fc.string({ maxLength: 10 }))
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      let text = good
      for (const [at, length, by] of edits) text = text.slice(0, at) + by + text.slice(at + length)
      isAnswered(text)
    }),
    { numRuns: 400 },
  )
})

const paths: (string | number)[][] = []
const collect = (node: unknown, path: (string | number)[]): void => {
  if (path.length > 0) paths.push(path)
  if (isMap(node)) for (const { key, value } of node.items) collect(value, [...path, String(key)])
  if (isSeq(node)) for (const [index, item] of node.items.entries()) collect(item, [...path, index])
}
collect(parseDocument(good).contents, [])

test('a good config with any value anywhere is answered', () => {
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 3 }), (path, value) => {
      const document = parseDocument(good)
      document.setIn(path, document.createNode(value))
      isAnswered(document.toString())
    }),
    { numRuns: 600 },
  )
})

test.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])(
  '`%s` is a name like any other',
  (name) => {
    const { findings } = loadText(good.replace('to: supervisor', `to: ${name}`), catalogue)
    expect(findings.map(({ message }) => message).join('\n')).toContain(`there is no responder \`${name}\``)
    const device = good.replace('to: beacon', `to: ${name}`)
    expect(loadText(device, catalogue).site).toBeNull()
    expect(loadText(device.replace('  beacon:', `  ${name}:`), catalogue).site?.devices.has(name)).toBe(true)
    for (const from of [
      'connector: ed-panel',
      'type: panel',
      'place: north/l2/ed/triage-2',
      '- camera.snapshot',
    ])
      expect(loadText(good.replace(from, from.replace(/[^ ]+$/, name)), catalogue).site).toBeNull()
  },
)
