import { expect, test } from 'vitest'
import { SimulatedClock } from '../clock.ts'
import { Turns } from './turns.ts'

const never = new AbortController().signal

/** One turn at a time, which is taken; then these ask in this order. Gives the order in which they get theirs. */
const orderOf = async (asking: readonly string[]): Promise<string[]> => {
  const clock = new SimulatedClock()
  const turns = new Turns(1, 1_000)
  const order: string[] = []
  const end = await turns.take(clock, never, false)
  const all = asking.map(async (name) => {
    const over = await turns.take(clock, never, name.startsWith('input'))
    order.push(name)
    over()
  })
  end()
  await Promise.all(all)
  return order
}

test('links with inputs take their turn before links with outputs only', async () => {
  expect(await orderOf(['output 1', 'output 2', 'input 1', 'input 2'])).toEqual([
    'input 1',
    'input 2',
    'output 1',
    'output 2',
  ])
})

test('inputs that open again and again keep no output waiting for ever', async () => {
  const inputs = Array.from({ length: 10 }, (_, n) => `input ${n}`)
  const order = await orderOf(['output', ...inputs])
  expect(order.indexOf('output')).toBe(3)
})

test('who gives up waits no more, and a turn that is never given back ends in time', async () => {
  const clock = new SimulatedClock()
  const turns = new Turns(1, 1_000)
  await turns.take(clock, never, false)
  const gone = new AbortController()
  const givenUp = turns.take(clock, gone.signal, true)
  let isNext = false
  const next = turns.take(clock, never, false).then(() => {
    isNext = true
  })
  gone.abort()
  await givenUp
  await clock.advance(999)
  expect(isNext).toBe(false)
  await clock.advance(1)
  await next
})
