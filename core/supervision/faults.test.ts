import { beforeEach, describe, expect, test } from 'vitest'
import { SimulatedClock } from '../clock.ts'
import { type Fault, Faults } from './faults.ts'

let clock: SimulatedClock
let turns: Fault[]
let faults: Faults
beforeEach(() => {
  clock = new SimulatedClock()
  turns = []
  faults = new Faults(clock, (fault) => turns.push(fault), 600_000)
})

const blink = async (times: number, id = 'unknown:b1') => {
  for (let n = 0; n < times; n++) {
    faults.set(id, 'b1: cannot be read')
    await clock.advance(1_000)
    faults.set(id, null)
    await clock.advance(1_000)
    faults.review()
  }
}

describe('a fault', () => {
  test('opens once and closes once, with its class', () => {
    faults.set('link-down:cameras', 'cameras is not connected')
    faults.set('link-down:cameras', 'cameras is not connected: again')
    faults.set('link-down:cameras', null)
    faults.set('link-down:cameras', null)
    expect(turns.map(({ what, closedAt, class: of }) => [what, closedAt !== null, of])).toEqual([
      ['cameras is not connected', false, 'link'],
      ['cameras is not connected', true, 'link'],
    ])
  })

  test('of a sort that nobody has thought of concerns the system', () => {
    faults.set('new-thing', 'odd')
    expect(faults.open()[0]?.class).toBe('system')
  })
})

describe('what flaps', () => {
  test('opens a sixth time within ten minutes and then stays', async () => {
    await blink(50)
    expect(turns.filter(({ closedAt }) => closedAt === null)).toHaveLength(6)
    expect(faults.open()).toMatchObject([{ id: 'unknown:b1', flapping: true }])
    expect(faults.open()[0]?.what).toMatch(/FLAPPING: 6 times in 1 min/)
  })

  test('closes when it has been quiet, and not before', async () => {
    await blink(6)
    await clock.advance(590_000)
    faults.review()
    expect(faults.open()).toHaveLength(1)
    await clock.advance(10_000)
    faults.review()
    expect(faults.open()).toEqual([])
  })

  test('is not quiet while it is wrong', async () => {
    await blink(6)
    faults.set('unknown:b1', 'b1: cannot be read')
    await clock.advance(3_600_000)
    faults.review()
    expect(faults.open()).toHaveLength(1)
  })

  test('does not drag others along, and seldom ones never flap', async () => {
    await blink(6)
    for (let n = 0; n < 20; n++) {
      await blink(1, 'unknown:b2')
      await clock.advance(200_000)
    }
    expect(turns.filter(({ id }) => id === 'unknown:b2').every(({ flapping }) => !flapping)).toBe(true)
  })
})
