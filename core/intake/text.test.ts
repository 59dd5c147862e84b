import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SimulatedClock } from '../clock.ts'
import type { Fact, State } from '../fact.ts'
import { checkText, compileText, placesOfText, plain, TextInput, TextReading } from './text.ts'
import { TextSource } from './text-source.ts'

const written = {
  patterns: [
    { match: '^routine', ignore: true },
    { match: 'battery low.* badge (?<id>\\d+)(?: (?<battery>\\d+)%)?', trouble: 'low-battery' },
    { match: '(?<kind>code \\w+|staff \\w+).* (?:room|rm) (?<place>[\\w ]+?) clear$', phase: 'restored' },
    { match: '(?<kind>code \\w+|staff \\w+).* (?:room|rm) (?<place>[\\w ]+?)(?:, badge (?<id>\\d+))?$' },
    { match: 'fall (?<person>\\w+) at (?<time>\\S+)', kind: 'medical', drill: true },
    { match: 'call', to: ['5550100'], kind: 'assist' },
  ],
  places: { 'ED 2': { place: 'north/l2/ed/triage-2', precision: 'room' } },
  kinds: { 'CODE GRAY': 'duress', 'Staff  Assist': 'assist' },
}
const config = TextReading.parse(written)
const read = compileText(config)

describe('a text is read by the first pattern that fits', () => {
  test('its kind and its place are in the words of the sender, whatever their case and spacing', () => {
    expect(read('Code gray at  rm ed 2\r\n')).toMatchObject({
      text: 'Code gray at rm ed 2',
      matched: 3,
      phase: 'active',
      kind: 'duress',
      groups: { place: 'ed 2', kind: 'Code gray' },
      seen: { place: 'north/l2/ed/triage-2', precision: 'room', from: 'fixed' },
    })
  })

  test('a badge that is seen in a place may have moved on', () => {
    expect(read('STAFF ASSIST room ED 2, badge 17').seen?.from).toBe('badge')
  })

  test('CLEAR ends the call', () => {
    expect(read('CODE GRAY room ED 2 CLEAR')).toMatchObject({ phase: 'restored', kind: 'duress' })
  })

  test('a routine call is ignored', () => {
    expect(read('ROUTINE water bed 4')).toMatchObject({ ignored: true })
  })

  test('a kind that nobody configured is unknown, a place that nobody configured is in the groups', () => {
    const reading = read('CODE MAUVE room Attic')
    expect(reading).toMatchObject({ kind: 'unknown', groups: { place: 'Attic' } })
    expect(reading.seen).toBeUndefined()
  })

  test('a pattern may be for some pagers only', () => {
    expect(read('call', { to: '5550100' })).toMatchObject({ matched: 5, kind: 'assist' })
    expect(read('call', { to: '5550199' }).matched).toBeNull()
    expect(read('call').matched).toBeNull()
  })

  test('a time counts only with its offset', () => {
    const at = Date.UTC(2026, 0, 5, 8, 2)
    expect(read('FALL anna at 2026-01-05T09:02:00+01:00')).toMatchObject({ occurredAt: at, drill: true })
    expect(read('FALL anna at 09:02')).not.toHaveProperty('occurredAt')
  })

  test('what the wire says of the phase counts where no pattern says it', () => {
    expect(read('anything', { phase: 'restored', kind: 'duress' })).toMatchObject({
      matched: null,
      phase: 'restored',
      kind: 'duress',
    })
    expect(read('code gray room ED 2 clear', { phase: 'active' }).phase).toBe('restored')
  })
})

describe('hostile texts', () => {
  test('control, invisible and direction-changing characters are gone', () => {
    expect(plain('\u001b[2J DUR\u0000\u202eESS\n\n at\u200b ED ')).toBe('[2J DUR ESS at ED')
  })

  test('any text gives a bounded reading', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3_000 }),
      fc.string({ unit: 'grapheme' }),
    )
    fc.assert(
      fc.property(anything, anything, (text, to) => {
        const reading = read(text, { to })
        expect(reading.text.length).toBeLessThanOrEqual(1_000)
        expect(reading.text.isWellFormed()).toBe(true)
        expect(reading.text).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      }),
      { numRuns: 2_000 },
    )
  })

  test('a pattern that would take a backtracking engine for ever does not hold up anything', () => {
    const evil = compileText(TextReading.parse({ patterns: [{ match: '(x+x+)+y' }] }))
    expect(evil('x'.repeat(5_000)).matched).toBeNull()
  })
})

describe('check', () => {
  const check = (more: object, inputs: Record<string, string> = {}) =>
    checkText({
      config: TextReading.parse(more),
      inputs: new Map(Object.entries(inputs).map(([name, id]) => [name, TextInput.parse({ id })])),
    })

  test('names the pattern that is no regular expression', () => {
    const [finding] = check({ patterns: [{ match: 'fine' }, { match: '(?=later)' }] })
    expect(finding).toMatchObject({ path: ['config', 'patterns', 1, 'match'], fatal: true })
    expect(finding?.message).toContain('(?=')
  })

  test('two names for the same words, and two devices with the same id', () => {
    const seen = { place: 'a', precision: 'room' }
    expect(check({ places: { 'ED 2': seen, 'ed  2': seen } })[0]?.path).toEqual(['config', 'places', 'ed  2'])
    expect(check({ kinds: { A: 'duress', a: 'assist' } })[0]?.path).toEqual(['config', 'kinds', 'a'])
    expect(check({}, { one: 'B 7', two: 'b 7' })[0]?.path).toEqual(['inputs', 'two', 'id'])
    expect(check(written)).toEqual([])
  })

  test('what is ignored or a trouble has no kind', () => {
    for (const wrong of [{ ignore: true }, { trouble: 'fault' }])
      expect(TextReading.safeParse({ patterns: [{ match: 'x', kind: 'duress', ...wrong }] }).success).toBe(
        false,
      )
  })

  test('tells the places that it uses', () => {
    expect(placesOfText(config)).toEqual([
      { path: ['places', 'ED 2'], place: 'north/l2/ed/triage-2', precision: 'room' },
    ])
  })
})

describe('what a text source records', () => {
  const start = (inputs: Record<string, string> = {}) => {
    const clock = new SimulatedClock()
    const facts: Fact[] = []
    const notes: { device: string; state: State }[] = []
    const opening = {
      config,
      inputs: new Map(Object.entries(inputs).map(([name, id]) => [name, { id }])),
    }
    const source = new TextSource(opening, {
      clock,
      note: (device, state) => void notes.push({ device, state }),
      record: async (fact) => {
        facts.push(fact)
        return { duplicate: false, id: 'x', incident: null }
      },
    })
    return { clock, facts, notes, source }
  }

  test('a text that no pattern fits is a press of unknown kind, in its own words', async () => {
    const { source, facts } = start()
    await source.take(`ZZZ ${'!'.repeat(400)}`)
    await source.take('', { to: '4711' })
    expect(facts).toMatchObject([
      { is: 'press', kind: 'unknown', device: null, phase: 'active' },
      { kind: 'unknown', from: 'page without text to 4711' },
    ])
    expect(facts[0]?.from).toHaveLength(200)
  })

  test('the group device, id or place names the device; its kind is left to it', async () => {
    const { source, facts, notes, clock } = start({ badge: '17', room: 'ED 3' })
    await source.take('battery low on badge 17 8%')
    await source.take('code gray rm ed 3')
    expect(facts).toMatchObject([
      { is: 'trouble', trouble: 'low-battery', device: 'badge', words: 'battery low on badge 17 8%' },
      { is: 'press', device: 'room', from: 'room', kind: 'duress' },
    ])
    expect(notes).toEqual([
      { device: 'badge', state: { quality: 'good', batteryPercent: 8 } },
      { device: 'room', state: { quality: 'good' } },
    ])
    await source.take('code gray rm ed 2')
    expect(facts[2]).toMatchObject({
      device: null,
      sighting: { place: 'north/l2/ed/triage-2', at: clock.now() },
    })
  })

  test('the address that it was sent to names the device where the text does not, also without any pattern', async () => {
    const { source, facts } = start({ cord: '31', other: '32' })
    await source.take('PULL CORD', { to: '31' })
    await source.take('PULL CORD', { to: '32' })
    expect(facts).toMatchObject([{ device: 'cord' }, { device: 'other' }])
    expect(facts[0]).not.toHaveProperty('kind')
    expect(facts[0]?.key).not.toBe(facts[1]?.key)
  })

  test('the same text within `repeat` is the same press, to however many pagers; later it is a new one', async () => {
    const { source, facts, clock } = start()
    for (const to of ['1', '2', '3']) {
      await source.take('HELP ED', { to })
      await clock.advance(9_000)
    }
    await clock.advance(3_000)
    await source.take('HELP ED')
    expect(new Set(facts.slice(0, 3).map(({ key }) => key)).size).toBe(1)
    expect(facts[3]?.key).not.toBe(facts[0]?.key)
  })

  test('a repeat that goes on for ever is a new press each `repeat`', async () => {
    const { source, facts, clock } = start()
    for (let n = 0; n < 10; n++) {
      await source.take('HELP ED')
      await clock.advance(10_000)
    }
    expect(new Set(facts.map(({ key }) => key)).size).toBe(4)
  })

  test('a message that the sender numbers is the same press however late it comes again, also after a restart', async () => {
    const { source, facts, clock } = start()
    const again = start()
    await source.take('HELP ED', { sender: 'a', id: '7' })
    await clock.advance(3_600_000)
    await source.take('HELP ED', { sender: 'a', id: '7' })
    await again.source.take('HELP ED', { sender: 'a', id: '7' })
    expect(new Set([...facts, ...again.facts].map(({ key }) => key)).size).toBe(1)
  })

  test('under another number the same text is the same press for `repeat`, and so is its own repeat; later it is a new one', async () => {
    const { source, facts, clock } = start()
    await source.take('HELP ED', { id: '7' })
    await source.take('HELP ED', { id: '8' })
    await clock.advance(60_000)
    await source.take('HELP ED', { id: '8' })
    expect(new Set(facts.map(({ key }) => key)).size).toBe(1)
    await source.take('HELP ED', { id: '9' })
    await source.take('HELP ED 2', { id: '7' })
    expect(new Set(facts.map(({ key }) => key)).size).toBe(3)
  })

  test('what else the wire says is kept with the event', async () => {
    const { source, facts } = start()
    await source.take('HELP ED', { id: '7', raw: { choices: ['Yes', 'No'] } })
    expect(facts[0]?.raw).toMatchObject({ id: '7', wire: { choices: ['Yes', 'No'] } })
  })

  test('a call after the end of the last one is another, however soon; an end that is told twice is one', async () => {
    const { source, facts } = start()
    const [call, clear] = ['code gray rm ed 2', 'code gray rm ed 2 clear']
    for (const text of [call, call, clear, clear, call, call]) await source.take(text)
    const keys = facts.map(({ key }) => key)
    expect(keys[1]).toBe(keys[0])
    expect(keys[3]).toBe(keys[2])
    expect(keys[5]).toBe(keys[4])
    expect(new Set(keys).size).toBe(3)
  })

  test('the end of a call elsewhere does not double this one', async () => {
    const { source, facts } = start()
    for (const text of ['code gray rm ed 2', 'code gray rm ed 9 clear', 'code gray rm ed 2'])
      await source.take(text)
    expect(facts[2]?.key).toBe(facts[0]?.key)
  })

  test('a message that its sender numbers is the same press also after the end of the call', async () => {
    const { source, facts } = start()
    await source.take('code gray rm ed 2', { id: 'm-1' })
    await source.take('code gray rm ed 2 clear', { id: 'm-2' })
    await source.take('code gray rm ed 2', { id: 'm-1' })
    expect(facts[2]?.key).toBe(facts[0]?.key)
  })

  test('another sender, another text and the end of the call are other facts', async () => {
    const { source, facts } = start()
    await source.take('HELP', { sender: 'a' })
    await source.take('HELP', { sender: 'b' })
    await source.take('HELP 2', { sender: 'a' })
    await source.take('HELP', { sender: 'a', phase: 'restored' })
    expect(new Set(facts.map(({ key }) => key)).size).toBe(4)
  })

  test('what is ignored is proof of life of its device, and no fact', async () => {
    const { source, facts, notes } = start({ bed: '4' })
    await source.take('ROUTINE water', { to: '4' })
    expect(facts).toEqual([])
    expect(notes).toMatchObject([{ device: 'bed' }])
  })

  test('only a mark that was announced is a heartbeat; what looks like one is a press', async () => {
    const { source, facts } = start()
    const text = source.beat('m-1')
    await source.take(text)
    await source.take('HEARTBEAT m-2')
    expect(facts).toMatchObject([
      { heartbeat: 'm-1', device: null, from: 'heartbeat' },
      { kind: 'unknown', from: 'HEARTBEAT m-2' },
    ])
    expect(facts[1]).not.toHaveProperty('heartbeat')
  })

  test('a sender of ever new texts costs a bounded memory, and forgets nothing recent', async () => {
    const { source, facts } = start()
    for (let n = 0; n < 6_000; n++) await source.take(`text ${n}`)
    await source.take('text 5999')
    expect(facts.at(-1)?.key).toBe(facts.at(-2)?.key)
  })
})
