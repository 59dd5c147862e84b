import { expect, test } from 'vitest'
import { SimulatedClock } from '../clock.ts'
import { Wakeful } from './wakeful.ts'

/** A clock that can go on while no timer runs, as when a process is stopped. */
class StoppedClock extends SimulatedClock {
  stoodMs = 0

  override mono(): number {
    return super.mono() + this.stoodMs
  }
}

test('an order is over as soon as somebody looks, when the process has stood still; later ones are not', async () => {
  const clock = new StoppedClock()
  const wakeful = new Wakeful(clock)
  const order = wakeful.limit(60_000)
  await clock.advance(5_000)
  expect(order.signal.aborted).toBe(false)
  let told = 0
  order.signal.addEventListener('abort', () => told++)
  clock.stoodMs += 1_100
  // No timer has run yet.
  expect(order.signal.aborted).toBe(true)
  expect(told).toBe(1)
  expect(() => order.signal.throwIfAborted()).toThrow('stood still')
  const next = wakeful.limit(60_000)
  await clock.advance(5_000)
  expect(next.signal.aborted).toBe(false)
  wakeful.stop()
})

test('a short pause is none, and a limit ends by itself as well', async () => {
  const clock = new StoppedClock()
  const wakeful = new Wakeful(clock)
  const order = wakeful.limit(2_000)
  clock.stoodMs += 900
  expect(order.signal.aborted).toBe(false)
  await clock.advance(2_000)
  expect(order.signal.aborted).toBe(true)
  wakeful.stop()
})
