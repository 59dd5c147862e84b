import assert from 'node:assert/strict'
import { proves } from '../../core/capability.ts'
import type { Outcome } from '../../core/command.ts'
import type { Connector } from '../../core/connector.ts'
import { errors } from '../../core/error.ts'

/** A message is read by people under pressure: one line of this length, not a dump. */
const messageMax = 600

/** Throws unless `value` is the same on another machine. */
export const mustBeJson = (value: unknown, what: string): void => {
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number') assert.ok(Number.isFinite(value), `${what} holds the number ${value}`)
  else if (Array.isArray(value)) for (const each of value) mustBeJson(each, what)
  else {
    assert.equal(typeof value, 'object', `${what} holds a ${typeof value}`)
    const prototype = Object.getPrototypeOf(value)
    assert.ok(prototype === Object.prototype || prototype === null, `${what} holds an instance of a class`)
    for (const each of Object.values(value as object)) mustBeJson(each, what)
  }
}

/** Throws unless the outcome is one that core can work with. */
export const mustBeOutcome = (outcome: Outcome, connector: Connector, name: string): void => {
  mustBeJson(outcome, `the outcome of ${name}`)
  const capability = connector.can?.find((each) => each.name === name)
  assert.ok(capability, `${connector.type} declares ${name}`)
  if (outcome.ok) {
    const parsed = capability.result.safeParse(outcome.result)
    assert.ok(parsed.success, `the result of ${name} is none: ${JSON.stringify(outcome.result)}`)
    assert.ok(
      proves(outcome.proof, capability.proof),
      `${name} is done with the proof ${outcome.proof}, but needs ${capability.proof}`,
    )
    return
  }
  const { failure, effect } = outcome
  assert.ok(Object.hasOwn(errors, failure.code), `${failure.code} is no code of ours`)
  assert.ok(effect === 'none' || effect === 'possible', `${String(effect)} is no effect`)
  assert.ok(
    failure.message.length > 0 && failure.message.length <= messageMax,
    `a message of ${failure.message.length} characters: ${failure.message}`,
  )
  const { retry } = failure
  const waits = typeof retry === 'object' && retry.afterMs >= 0
  assert.ok(retry === 'never' || retry === 'backoff' || waits, `${JSON.stringify(retry)} is no retry`)
}
