import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Fact, Json } from '../../core/fact.ts'
import { Contact } from './contact.ts'

const t0 = Date.UTC(2026, 10, 22, 8)
/** `seconds` after the start by the device's clock. */
const at = (seconds: number) => t0 + seconds * 1_000

const contact = (more: { activeWhen?: boolean; repeats?: boolean; session?: number } = {}, cursor?: Json) =>
  new Contact(
    {
      device: 'button',
      at: 'input DI_0 of 10.0.9.3',
      activeWhen: more.activeWhen ?? true,
      repeats: more.repeats ?? false,
      session: () => more.session ?? 1,
    },
    cursor,
  )

const told = (facts: readonly Fact[]) => facts.map((fact) => (fact.is === 'press' ? fact.phase : fact.is))
const changed = (on: boolean, seconds: number) => ({ operation: 'Changed', on, at: at(seconds) })
const found = (on: boolean, seconds: number) => ({ operation: 'Initialized', on, at: at(seconds) })

test('a press and its end', () => {
  const button = contact()
  expect(told(button.read(found(false, 0), 0))).toEqual([])
  const [press] = button.read(changed(true, 5), 0)
  expect(press).toMatchObject({
    is: 'press',
    phase: 'active',
    device: 'button',
    from: 'input DI_0 of 10.0.9.3',
    occurredAt: at(5),
  })
  expect(button.active).toBe(true)
  expect(button.read(changed(false, 6), 0)).toMatchObject([
    { phase: 'restored', key: `${press?.key}/restored` },
  ])
  expect(button.active).toBe(false)
})

test('a contact that opens when pressed', () => {
  const button = contact({ activeWhen: false })
  expect(told(button.read(found(true, 0), 0))).toEqual([])
  expect(told(button.read(changed(false, 5), 0))).toEqual(['active'])
  expect(told(button.read(changed(true, 6), 0))).toEqual(['restored'])
})

test('an input that is found active is pressed: told once, not on each new subscription, nor after our restart', () => {
  const button = contact()
  expect(told(button.read(found(true, 0), 0))).toEqual(['active'])
  button.forget()
  expect(told(button.read(found(true, 30), 0))).toEqual([])
  const again = contact({ session: 2 }, button.cursor)
  expect(told(again.read(found(true, 60), 0))).toEqual([])
  expect(told(again.read(found(false, 90), 0))).toEqual(['restored'])
  expect(told(again.read(found(true, 95), 0))).toEqual(['active'])
})

test('a release alone is evidence of a press that was missed', () => {
  const button = contact()
  button.read(found(false, 0), 0)
  const facts = button.read(changed(false, 9), 0)
  expect(told(facts)).toEqual(['active', 'restored'])
  expect(facts[0]?.raw).toMatchObject({ how: expect.stringContaining('missed') })
  expect(told(button.read(changed(false, 20), 0))).toEqual(['active', 'restored'])
  // The first thing heard after a gap, as well.
  const after = contact({}, button.cursor)
  expect(told(after.read(changed(false, 30), 0))).toEqual(['active', 'restored'])
})

test('a release that ends a press known before the gap is no other press', () => {
  const button = contact()
  button.read(changed(true, 0), 0)
  const after = contact({}, button.cursor)
  expect(told(after.read(changed(false, 40), 0))).toEqual(['restored'])
})

test('a press while pressed: the release was missed; a repetition of the same one is nothing', () => {
  const button = contact()
  button.read(changed(true, 0), 0)
  expect(told(button.read(changed(true, 0), 0))).toEqual([])
  expect(told(button.read(changed(true, 1), 0))).toEqual([])
  expect(told(button.read(changed(true, 10), 0))).toEqual(['active', 'restored'])
  expect(told(button.read(changed(false, 11), 0))).toEqual(['restored'])
})

test('a device that repeats its state all the time is only heard when it changes', () => {
  const button = contact({ repeats: true })
  const all = [false, false, true, true, true, false, false].flatMap((on, n) =>
    button.read(changed(on, n * 5), 0),
  )
  expect(told(all)).toEqual(['active', 'restored'])
})

test('the same message heard again has the same key; a press in the same second by one clock has another', () => {
  const first = contact()
  const [press] = first.read(changed(true, 5), 0)
  const [again] = contact().read(changed(true, 5), 99)
  expect(again?.key).toBe(press?.key)
  first.read(changed(false, 5), 0)
  const after = contact({}, first.cursor)
  const [second] = first.read(changed(true, 5), 0)
  expect(second?.key).not.toBe(press?.key)
  // After a cut as well: of two presses none may be lost.
  expect(after.read(changed(true, 5), 0)[0]?.key).not.toBe(press?.key)
  // A camera without a battery starts at the same time after each power cut.
  const [other] = contact({ session: 2 }).read(changed(true, 5), 0)
  expect(other?.key).not.toBe(press?.key)
})

test('what can not be read, or is no more, is unknown', () => {
  const button = contact()
  expect(button.known).toBe(false)
  button.read(found(false, 0), 0)
  expect(button.known).toBe(true)
  expect(button.read({ operation: 'Changed', on: null, at: null }, 0)).toEqual([])
  expect(button.known).toBe(false)
  button.read(found(false, 1), 0)
  button.read({ operation: 'Deleted', on: true, at: null }, 0)
  expect(button.known).toBe(false)
})

test('a device without a time is heard at ours', () => {
  expect(contact().read({ operation: '', on: true, at: null }, 1_234)).toMatchObject([{ occurredAt: 1_234 }])
})

const message = fc.record({
  operation: fc.constantFrom('Initialized', 'Changed', 'Deleted', '', 'x'),
  on: fc.constantFrom(true, false, null),
  at: fc.option(fc.integer({ min: 0, max: 20 }).map(at)),
})

test('whatever is said: presses and ends take turns, no key comes twice, and a restart anywhere changes nothing', () => {
  fc.assert(
    fc.property(fc.array(message), fc.nat(30), fc.boolean(), (messages, cut, repeats) => {
      let one = contact({ repeats })
      const facts: Fact[] = []
      messages.forEach((said, n) => {
        // Another session, as after each restart.
        if (n === cut) one = contact({ repeats, session: 2 }, one.cursor)
        facts.push(...one.read(said, at(n)))
      })
      const keys = facts.map(({ key }) => key)
      expect(new Set(keys).size).toBe(keys.length)
      const presses = facts.filter((fact) => fact.is === 'press' && fact.phase === 'active')
      const ends = facts.length - presses.length
      expect(presses.length - ends).toBe(one.active ? 1 : 0)
      const activeAtAll = messages.some(({ on, operation }) => on === true && operation !== 'Deleted')
      if (activeAtAll) expect(presses.length).toBeGreaterThan(0)
    }),
    { numRuns: 2_000 },
  )
})
