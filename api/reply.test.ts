import { expect, test } from 'vitest'
import { BridgeError, errors } from '../core/error.ts'
import { failureOf, Refused } from './reply.ts'

test('what should not happen is said without what it was', () => {
  const { status, failure } = failureOf(new Error('password=hunter2 at /srv/secret.ts:1'))
  expect(status).toBe(500)
  expect(failure.error.code).toBe('CRASHED')
  expect(JSON.stringify(failure)).not.toMatch(/hunter2|secret/)
})

test('an error of ours keeps its code and words, and says what to do', () => {
  expect(failureOf(new BridgeError('CONFLICT', 'it is resolved'))).toEqual({
    status: 409,
    failure: { error: { code: 'CONFLICT', message: 'it is resolved', do: errors.CONFLICT.do } },
  })
  const refused = new Refused('FORBIDDEN', 'no', { status: 401, advice: 'ask' })
  expect(failureOf(refused)).toEqual({
    status: 401,
    failure: { error: { code: 'FORBIDDEN', message: 'no', do: 'ask' } },
  })
})

test('only what could not be written is in effect all the same', () => {
  for (const code of Object.keys(errors) as (keyof typeof errors)[])
    expect(failureOf(new BridgeError(code, '')).failure.error.inEffect).toBe(
      code === 'NOT_RECORDED' || undefined,
    )
})

test('words are bounded', () => {
  expect(failureOf(new BridgeError('REFUSED', 'x'.repeat(5_000))).failure.error.message).toHaveLength(500)
})
