import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DoorReport } from '../../core/capability.ts'
import type { Json } from '../../core/fact.ts'
import { faultIn, isFields, reportIn } from './vapix.ts'

test('the state of a real controller', () => {
  expect(reportIn({ DoorPhysicalState: 'Closed', Alarm: 'Normal', DoorMode: 'Locked' })).toEqual({
    report: { mode: 'locked', open: false, forced: false },
    loose: null,
  })
})

test('a lock that does not hold, force and tamper are seen', () => {
  const state = {
    DoorMode: 'LockedDown',
    LockPhysicalState: 'Unlocked',
    DoorPhysicalState: 'Unknown',
    Alarm: 'DoorForcedOpen',
    Tamper: { State: 'TamperDetected' },
  }
  expect(reportIn(state)).toEqual({
    report: { mode: 'lockdown', forced: true, tampered: true },
    loose: 'Unlocked',
  })
})

test('a mode that nobody knows is no state', () => {
  for (const state of [undefined, null, [], 'Locked', {}, { DoorMode: 'Ajar' }, { DoorMode: 'toString' }])
    expect(reportIn(state)).toBe(null)
})

test.each([
  [{ Fault: 'env:Sender', FaultCode: 'ter:InvalidArgs', FaultReason: 'no door' }, 'NOT_FOUND', 'none'],
  [{ Fault: { Code: 'ter:NotAuthorized' } }, 'UNAUTHORIZED', 'none'],
  [{ FaultCode: 'ter:ActionNotSupported' }, 'UNSUPPORTED', 'none'],
  [{ error: 'Failed to go to LockDown state' }, 'REFUSED', 'possible'],
])('the fault in %j', (fields, code, effect) => {
  expect(faultIn(fields)).toMatchObject({ code, effect })
})

test('success holds no fault', () => {
  for (const fields of [{}, { DoorState: { Fault: 'NotInFault' } }, { error: null }])
    expect(faultIn(fields)).toBe(null)
})

test('any JSON is read without failing, and what is read is a report', () => {
  const words = fc.constantFrom(
    'DoorMode',
    'Locked',
    'LockedDown',
    'Tamper',
    'State',
    'Alarm',
    'Fault',
    'error',
  )
  const value = fc.oneof(words, fc.jsonValue({ maxDepth: 2 })) as fc.Arbitrary<Json>
  fc.assert(
    fc.property(fc.oneof(value, fc.dictionary(fc.oneof(words, fc.string()), value)), (state) => {
      const read = reportIn(state as Json)
      if (read) expect(DoorReport.safeParse(read.report).success).toBe(true)
      if (isFields(state as Json)) expect(typeof (faultIn(state as any)?.said ?? '')).toBe('string')
    }),
    { numRuns: 2_000 },
  )
})
