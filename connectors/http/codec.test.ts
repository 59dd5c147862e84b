import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Json } from '../../core/fact.ts'
import {
  compileJson,
  compileText,
  type Escape,
  namesFor,
  problemsOf,
  split,
  TemplateError,
  type View,
} from './codec.ts'

const view = (over: Partial<View> = {}): View => ({
  id: 'i/step.1/a',
  attempt: 1,
  args: {},
  values: {},
  message: null,
  text: () => 'DURESS',
  ...over,
})

describe('templates', () => {
  test('are split once into literals and names', () => {
    expect(split('a{{ id }}b{{values.token}}')).toEqual(['a', 'id', 'b', 'values.token', ''])
    expect(split('')).toEqual([''])
  })

  test.each(['{{id', 'x {{}} y', '{{a b}}', '{{constructor()}}', '{{{{id}}}}'])('%j is none', (template) => {
    expect(() => split(template)).toThrow(TemplateError)
  })

  test('a string that is only a name keeps the type of its value', () => {
    const body = {
      on: '{{args.on}}',
      n: '{{attempt}}',
      none: '{{args.nothing}}',
      text: 'try {{attempt}}',
      x: [1, null],
    }
    expect(JSON.parse(compileJson(body)(view({ args: { on: true }, attempt: 3 })))).toEqual({
      on: true,
      n: 3,
      none: null,
      text: 'try 3',
      x: [1, null],
    })
  })

  test('a value can not leave its place', () => {
    const evil = '"}/../x?y=1&z\r\nInjected: 1<b>'
    const at = view({ values: { evil, up: '..' } })
    expect(compileText('/d/{{values.evil}}/x', 'path')(at)).toMatch(/^\/d\/[\w%!~*'().-]+\/x$/)
    expect(compileText('/d/{{values.up}}/x', 'path')(at)).toBe('/d/_/x')
    expect(compileText('{{values.evil}}', 'header')(at)).not.toMatch(/[\r\n]/)
    expect(compileText('<a>{{values.evil}}</a>', 'xml')(at)).not.toMatch(/<b>/)
    expect(compileText('a={{values.evil}}', 'form')(at).split('&')).toHaveLength(1)
    expect(JSON.parse(compileText('{"a":"{{values.evil}}"}', 'json')(at))).toEqual({ a: evil })
  })

  test('nothing is reached through prototypes', () => {
    expect(compileText('{{values.constructor}}{{args.__proto__}}', 'plain')(view())).toBe('')
  })

  test('names that nobody knows are told, with what was probably meant', () => {
    expect(problemsOf({ a: ['{{mesage.kind}}'] }, 'event.send', [])).toEqual([
      '`{{mesage.kind}}` is not known to event.send: did you mean `message.kind`?',
    ])
    expect(problemsOf('/x/{{values.tokn}}', 'door.state', ['token'])[0]).toContain('`values.token`')
    expect(problemsOf('{{message.kind}}', 'door.state', [])).toHaveLength(1)
    expect(problemsOf('{{id', 'door.state', [])[0]).toContain('closing')
    expect(problemsOf({ a: '{{id}}', b: 1, c: null }, 'door.state', [])).toEqual([])
  })

  test('every name that is offered can be compiled', () => {
    for (const capability of ['page.send', 'event.send', 'camera.preset', 'relay.set', 'door.release'])
      for (const name of namesFor(capability)) compileText(`{{${name}}}`, 'plain')(view())
  })
})

describe('for every template and value', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('{{', '}}', '{{id}}', '"', '\\', '\u2028', '\ud800'),
  )

  test('JSON templates give JSON with the value in its place', () => {
    const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>
    fc.assert(
      fc.property(json, json, hostile, (literal, value, text) => {
        fc.pre(!/\{\{/.test(JSON.stringify(literal)))
        const at = view({ values: { v: value, t: text } })
        const filled = compileJson({ literal, v: '{{values.v}}', t: 'x{{values.t}}' })(at)
        expect(JSON.parse(filled)).toEqual(JSON.parse(JSON.stringify({ literal, v: value, t: `x${text}` })))
      }),
      { numRuns: 1_000 },
    )
  })

  test('filling never fails, and values are never read as templates again', () => {
    fc.assert(
      fc.property(
        hostile,
        fc.constantFrom<Escape>('plain', 'path', 'header', 'json', 'xml', 'form'),
        (text, how) => {
          const filled = compileText('a{{values.t}}z', how)(view({ values: { t: text } }))
          expect(filled.startsWith('a') && filled.endsWith('z')).toBe(true)
          if (how === 'plain') expect(filled).toBe(`a${text}z`)
          if (how === 'path' || how === 'form') expect(filled).toMatch(/^[\w%!~*'().-]*$/)
          if (how === 'header') expect(filled).toMatch(/^[ -~]*$/)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('any text compiles or is a TemplateError', () => {
    const names = fc.constantFrom('{{', '}}', 'id', 'values.x', 'message', '.', ' ', 'args.')
    fc.assert(
      fc.property(fc.array(fc.oneof(names, fc.string()), { maxLength: 12 }), (parts) => {
        const template = parts.join('')
        try {
          compileText(template, 'plain')(view())
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError)
          expect(problemsOf(template, 'event.send', []).length).toBeGreaterThan(0)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
