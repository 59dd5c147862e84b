import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Kind, levels } from '../fact.ts'
// `fit(` at the start of a line reads as a focused test to the linter
import { fit as told } from './fit.ts'
import { About, type Message } from './message.ts'

// 14:02:11 in Chicago (UTC-6 in November)
const pressed = Date.UTC(2026, 10, 21, 20, 2, 11)

const message = (over: Partial<Message> = {}, where: Partial<Message['where']> = {}): Message => ({
  incident: '0198',
  site: 'Mercy North',
  timezone: 'America/Chicago',
  number: 42,
  about: 'press',
  kind: 'duress',
  drill: false,
  silent: false,
  where: {
    place: 'north/l2/ed/triage-2',
    name: 'Triage 2, Emergency',
    short: 'ED Triage 2',
    precision: 'room',
    from: 'badge',
    at: pressed,
    ...where,
  },
  who: null,
  source: null,
  receivedAt: pressed,
  dueAt: pressed,
  acknowledgedBy: null,
  notes: [],
  ...over,
})

const say = (of: Message, { characters = 300, now = pressed, charset = 'unicode' as const } = {}) =>
  told(of, { characters, charset, now })

describe('what people are told', () => {
  test('the most important words come first', () => {
    const all = message({
      drill: true,
      about: 'escalation',
      silent: true,
      who: 'J. Meyer',
      acknowledgedBy: 'Unit 7',
      notes: ['two presses'],
      possibleRepeat: true,
    })
    expect(say(all, { now: pressed + 40_000 })).toBe(
      'DRILL ESCALATED DURESS ED Triage 2, 40 s ago, SILENT: no radio speakers, by J. Meyer, 14:02:11, #42 REPEAT?, ' +
        'coming: Unit 7, two presses, late 40 s',
    )
  })

  test('a walk test says so right at the front', () => {
    expect(say(message({ drill: true, walkTest: true }))).toMatch(/^DRILL WALK TEST DURESS ED Triage 2/)
  })

  test('a fresh press is short', () => {
    expect(say(message())).toBe('DURESS ED Triage 2, 14:02:11, #42')
  })

  test('a fixed button has no age; a sighting older than two minutes gives its time', () => {
    const now = pressed + 300_000
    const due = { dueAt: now }
    expect(say(message(due, { from: 'fixed' }), { now })).toBe('DURESS ED Triage 2, 14:02:11, #42')
    expect(say(message(due), { now })).toContain('ED Triage 2, last seen 14:02,')
  })

  test('a sighting of another day gives its date', () => {
    const now = pressed + 13 * 3_600_000
    expect(say(message({ dueAt: now }), { now })).toContain('last seen 2026-11-21 14:02')
  })

  test('never more exact than the source: unit, doubt, unknown precision', () => {
    expect(say(message({}, { short: 'ED', precision: 'unit' }))).toContain('DURESS ED (unit only)')
    expect(say(message({}, { precision: null }))).toContain('ED Triage 2 (not exact)')
    expect(say(message({}, { orElse: ['ED hall above'] }))).toContain('ED Triage 2? or ED hall above')
  })

  test('doubt survives every cut that leaves the name', () => {
    const doubtful = message({}, { orElse: ['ED hall above'] })
    for (let characters = 20; characters < 60; characters++)
      expect(say(doubtful, { characters })).toContain('Triage 2?')
  })

  test('an unknown place says so, and what said it', () => {
    const unknown = message(
      { source: 'badge 0117, near gateway ED-4' },
      { place: null, precision: null, from: 'unknown' },
    )
    expect(say(unknown)).toContain('DURESS PLACE UNKNOWN: badge 0117, near gateway ED-4')
    expect(say({ ...unknown, source: null })).toBe('DURESS PLACE UNKNOWN, 14:02:11, #42')
  })

  test('lateness and a possible repeat are said', () => {
    expect(say(message({}, { from: 'fixed' }), { now: pressed + 45_000 })).toMatch(/, late 45 s$/)
    expect(say(message({}, { from: 'fixed' }), { now: pressed + 600_000 })).toMatch(/, late 10 min$/)
    expect(say(message({}, { from: 'fixed' }), { now: pressed + 5 * 3_600_000 })).toMatch(/, late 5 h$/)
    expect(say(message({ possibleRepeat: true }))).toMatch(/, #42 REPEAT\?$/)
  })

  test('a possible repeat is said before what may be long', () => {
    const position = { latitude: 41.8807, longitude: -87.629, accuracyM: 8 }
    const long = message({ who: 'Home Care 2', possibleRepeat: true }, { address: 'x '.repeat(99), position })
    expect(say(long, { characters: 80 })).toContain('#42 REPEAT?')
  })

  test('notes such as that of a weapon are passed on', () => {
    expect(say(message({ kind: 'weapon', notes: ['do not enter unarmed'] }))).toContain(
      'do not enter unarmed',
    )
  })

  test('ASCII only where a pager knows no more; control characters never pass', () => {
    const text = told(message({ who: 'José Strauß 日\r\nQUIT\u202e\u0000' }, { short: 'Café' }), {
      characters: 200,
      charset: 'ascii',
      now: pressed,
    })
    expect(text).toBe('DURESS Cafe, by Jose Strauss ? QUIT, 14:02:11, #42')
  })

  test('a time zone that is not known here costs no page and names the zone of its times', () => {
    expect(say(message({ timezone: 'Atlantis/Centre' }))).toBe('DURESS ED Triage 2, 20:02:11 UTC, #42')
  })

  test('the cut is at a word end, with a mark only where it fits', () => {
    expect(say(message(), { characters: 19 })).toBe('DURESS ED Triage 2…')
    expect(say(message(), { characters: 18 })).toBe('DURESS ED Triage 2')
    expect(say(message(), { characters: 17 })).toBe('DURESS ED Triage…')
    expect(told(message(), { characters: 19, charset: 'ascii', now: pressed })).toBe('DURESS ED Triage 2')
  })

  test('a name without spaces is cut inside rather than lost', () => {
    expect(say(message({}, { short: 'x'.repeat(100) }), { characters: 60 })).toMatch(/^DURESS x{50,}…?$/)
  })
})

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ maxLength: 300 }),
  fc.lorem({ maxCount: 8 }),
)

const anyMessage: fc.Arbitrary<Message> = fc.record(
  {
    incident: fc.string(),
    site: anyText,
    timezone: fc.constantFrom('America/Chicago', 'UTC', 'nowhere'),
    number: fc.nat(),
    about: fc.constantFrom(...About.options),
    kind: fc.constantFrom(...Kind.options),
    drill: fc.boolean(),
    silent: fc.boolean(),
    where: fc.record(
      {
        place: fc.option(anyText.map((text) => `p/${text}`)),
        name: anyText,
        short: anyText,
        precision: fc.option(fc.constantFrom(...levels)),
        from: fc.constantFrom('fixed', 'badge', 'gps', 'last-known', 'manual', 'unknown'),
        at: fc.oneof(fc.integer({ min: pressed - 1e9, max: pressed + 1e6 }), fc.double()),
        orElse: fc.array(anyText, { maxLength: 3 }),
        address: anyText,
      },
      { requiredKeys: ['place', 'name', 'short', 'precision', 'from', 'at'] },
    ),
    who: fc.option(anyText),
    source: fc.option(anyText),
    receivedAt: fc.integer({ min: pressed - 1e9, max: pressed }),
    dueAt: fc.integer({ min: pressed - 1e9, max: pressed }),
    acknowledgedBy: fc.option(anyText),
    notes: fc.array(anyText, { maxLength: 4 }),
    possibleRepeat: fc.boolean(),
  },
  {
    requiredKeys: [
      'incident',
      'site',
      'timezone',
      'number',
      'about',
      'kind',
      'drill',
      'silent',
      'where',
      'who',
      'source',
      'receivedAt',
      'dueAt',
      'acknowledgedBy',
      'notes',
    ],
  },
) as fc.Arbitrary<Message>

/** All but what maintenance is told. */
const anyCall = anyMessage.filter(({ about }) => about !== 'fault')

const anyCharset = fc.constantFrom<'ascii' | 'unicode'>('ascii', 'unicode')
const points = (text: string) => Array.from(text).length

describe('for every message', () => {
  test('it is never too long, one clean line, and in its charset', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(300), anyCharset, (of, characters, charset) => {
        const text = told(of, { characters, charset, now: pressed })
        expect(points(text)).toBeLessThanOrEqual(characters)
        expect(text).not.toMatch(/\p{C}/u)
        expect(text.isWellFormed()).toBe(true)
        if (charset === 'ascii') expect(text).toMatch(/^[ -~]*$/)
      }),
      { numRuns: 1_000 },
    )
  })

  test('from 20 characters on a drill says DRILL first, and a stand-down STAND DOWN', () => {
    fc.assert(
      fc.property(anyCall, fc.integer({ min: 20, max: 300 }), anyCharset, (of, characters, charset) => {
        const text = told(of, { characters, charset, now: pressed })
        expect(text.startsWith('DRILL ')).toBe(of.drill)
        expect(/^(DRILL )?STAND DOWN/.test(text)).toBe(of.about === 'stand-down')
      }),
      { numRuns: 1_000 },
    )
  })

  test('the place, or that it is unknown, is within the first 60 characters', () => {
    fc.assert(
      fc.property(anyCall, (of) => {
        const { address: _, ...where } = of.where
        const named = { ...of, where: { ...where, short: 'Q7#' } }
        const text = told(named, { characters: 60, charset: 'unicode', now: pressed })
        expect(text).toContain(of.where.place === null ? 'PLACE UNKNOWN' : 'Q7#')
      }),
    )
  })

  test('what maintenance is told begins with MAINTENANCE and claims neither a kind nor an incident', () => {
    fc.assert(
      fc.property(anyMessage, fc.integer({ min: 12, max: 300 }), anyCharset, (of, characters, charset) => {
        const fault = { ...of, about: 'fault' as const, notes: ['ED: button cannot be read'] }
        const text = told(fault, { characters, charset, now: pressed })
        expect(text.startsWith('MAINTENANCE')).toBe(true)
        expect(text).not.toMatch(/DURESS|WEAPON|HELP|DRILL|#/)
        const call = told({ ...of, about: 'press' }, { characters, charset, now: pressed })
        expect(call.startsWith('MAINTENANCE')).toBe(false)
      }),
    )
  })

  test('a longer limit loses nothing that a shorter one had', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(200), fc.nat(50), anyCharset, (of, characters, more, charset) => {
        const mark = charset === 'ascii' ? /\.\.\.$/ : /…$/
        const at = (limit: number) => told(of, { characters: limit, charset, now: pressed })
        const short = at(characters)
        const whole = at(10_000)
        const kept = whole.startsWith(short) ? short : short.replace(mark, '')
        expect(at(characters + more).startsWith(kept)).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})
