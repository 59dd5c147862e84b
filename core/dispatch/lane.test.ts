import { expect, test } from 'vitest'
import { SimulatedClock } from '../clock.ts'
import { type Command, failed } from '../command.ts'
import { Lane } from './lane.ts'
import { Tracked } from './tracked.ts'
import type { Way } from './ways.ts'

const way: Way = {
  link: 'pager',
  target: undefined,
  lane: { key: 'pager', atOnce: 4 },
  attemptMs: 5_000,
  capability: { proof: 'answered', expiresAfterMs: 60_000, perceptible: 'sound' },
}

const page = (n: number): Tracked => {
  const command: Command = {
    id: `incident-${n}/step.0.0/security`,
    incident: `incident-${n}`,
    target: 'security',
    connector: 'pager',
    capability: 'page.send',
    address: {},
    args: {},
    dueAt: 0,
    expiresAt: null,
    priority: 'person',
    unless: [],
  }
  return new Tracked(command, way, { attempt: 1, recorded: true, effect: 'none' })
}

/** A lane with four at once whose target hangs, and what it asks of its owner. */
const hanging = () => {
  const clock = new SimulatedClock()
  const asked = { looks: 0, started: [] as Tracked[] }
  const lane = new Lane(
    {
      clock,
      isUp: () => true,
      drop: () => {
        asked.looks++
        return false
      },
      start: (_, tracked) => asked.started.push(tracked),
    },
    4,
  )
  const press = (n: number) => {
    lane.add(page(n))
    lane.pump()
  }
  /** What is in flight gets no answer in time. */
  const giveUp = () => {
    for (const tracked of asked.started.splice(0)) {
      lane.breaker.ended(failed('TIMEOUT', 'no answer'))
      lane.ended(tracked)
      lane.putBack(tracked)
    }
    lane.pump()
  }
  return { clock, asked, press, giveUp }
}

test('a press costs no more the longer the queue of a target that hangs is', () => {
  const { asked, press } = hanging()
  for (let n = 0; n < 400; n++) press(n)
  expect(asked.started).toHaveLength(4)
  asked.looks = 0
  for (let n = 400; n < 500; n++) press(n)
  expect(asked.looks).toBe(0)
})

test('nor once its breaker is open; all that wait are looked at within a second all the same', async () => {
  const { clock, asked, press, giveUp } = hanging()
  for (let n = 0; n < 400; n++) press(n)
  giveUp()
  await clock.advance(1_000)
  expect(asked.started, 'one probe').toHaveLength(1)
  asked.looks = 0
  for (let n = 400; n < 500; n++) press(n)
  expect(asked.looks).toBe(0)
  await clock.advance(1_000)
  expect(asked.looks).toBeGreaterThanOrEqual(499)

  giveUp()
  await clock.advance(450)
  expect(asked.started, 'the next probe, when the breaker says so').toHaveLength(1)
})
