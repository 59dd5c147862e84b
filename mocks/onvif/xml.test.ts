import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fault, readCall } from './soap.ts'
import { child, parseXml, safe } from './xml.ts'

test('names count, prefixes do not', () => {
  for (const text of [
    '<a:one xmlns:a="urn:x"><a:two>text</a:two></a:one>',
    '<one xmlns="urn:x"><b:two xmlns:b="urn:x"> text </b:two></one>',
    '<?xml version="1.0"?>\n<one xmlns="urn:x"><!-- why --><two><![CDATA[text]]></two></one>',
  ])
    expect(child(parseXml(text), 'urn:x', 'two')?.text).toBe('text')
  expect(child(parseXml('<one xmlns="urn:x"><two xmlns="urn:y"/></one>'), 'urn:x', 'two')).toBeUndefined()
})

test('whatever text is made safe comes back unchanged', () => {
  const text = fc.string({ unit: 'grapheme-ascii', maxLength: 50 })
  fc.assert(
    fc.property(text, (given) => {
      const { attributes, text: content } = parseXml(`<a b="${safe(given)}">${safe(given)}</a>`)
      expect([attributes['b'], content]).toEqual([given.trim(), given.trim()])
    }),
  )
})

test.each(['', 'text', '<a>', '<a/><b/>', '<x:a/>', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])(
  '%j is refused',
  (text) => {
    expect(() => parseXml(text)).toThrow()
  },
)

test('hostile bytes end in a fault and nothing else', () => {
  const envelope =
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><a/></e:Body></e:Envelope>'
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.nat(envelope.length), fc.nat(envelope.length), fc.string())
      .map(([from, to, middle]) => envelope.slice(0, from) + middle + envelope.slice(to)),
  )
  fc.assert(
    fc.property(hostile, (text) => {
      try {
        expect(readCall(text).operation.name).toBeTypeOf('string')
      } catch (error) {
        expect(error).toBeInstanceOf(Fault)
      }
    }),
    { numRuns: 2_000 },
  )
})
