import { describe, expect, test } from 'vitest'
import { SimulatedClock } from '../../core/clock.ts'
import { block } from '../../mocks/espa-station/frame.ts'
import type { Call } from './codec.ts'
import { type Selects, Session } from './session.ts'

const ack = '\x06'
const nak = '\x15'
const eot = '\x04'
const select = '1\x052\x05'

const start = (selects: Selects = 'after-poll') => {
  const clock = new SimulatedClock()
  const around = {
    written: '',
    calls: [] as Call[],
    failures: [] as string[],
    alive: 0,
    disk: async (): Promise<void> => {},
  }
  const session = new Session({
    clock,
    address: '2',
    bits: 7,
    selects,
    write: (text) => {
      around.written += text
    },
    alive: () => {
      around.alive++
    },
    take: (call) => {
      around.calls.push(call)
      return around.disk()
    },
    failed: (what) => void around.failures.push(what),
  })
  const hear = async (bytes: string | Buffer): Promise<string> => {
    around.written = ''
    session.hear(Buffer.from(bytes as string, 'latin1'))
    await clock.settle()
    return around.written
  }
  return { around, clock, hear, session }
}

const help = block({ to: '3001', text: 'HELP ED', priority: '1' })
const spoilt = Buffer.from(help.map((byte, at) => (at === help.length - 1 ? byte ^ 0x20 : byte)))

describe('polls and selections', () => {
  test('our own address is polled: we have nothing to send', async () => {
    const { hear, around } = start()
    expect(await hear('2\x05')).toBe(eot)
    expect(around.alive).toBe(1)
  })

  test('after a poll of another station our address is a selection', async () => {
    const { hear } = start()
    expect(await hear('1\x05')).toBe('')
    expect(await hear('2\x05')).toBe(ack)
  })

  test('where the control station selects directly, our address is one at once', async () => {
    expect(await start('direct').hear('2\x05')).toBe(ack)
  })

  test('others are none of ours, and their blocks neither', async () => {
    const { hear, around } = start()
    expect(await hear('1\x053\x05')).toBe('')
    expect(await hear(help)).toBe('')
    expect(around.calls).toEqual([])
  })

  test('a poll that is 2.5 s old selects nobody', async () => {
    const { hear, clock } = start()
    await hear('1\x05')
    await clock.advance(2_500)
    expect(await hear('2\x05')).toBe(eot)
  })

  test('EOT ends it: a poll comes next', async () => {
    const { hear } = start()
    expect(await hear('1\x05\x042\x05')).toBe(eot)
    expect(await hear('1\x052\x05\x04')).toBe(ack)
    expect(await hear(help)).toBe('')
  })

  test('a selection without a block is over after 15 s', async () => {
    const { hear, clock, around } = start()
    await hear(select)
    await clock.advance(15_000)
    expect(await hear(help)).toBe('')
    expect(around.calls).toEqual([])
  })
})

describe('a call', () => {
  test('is acknowledged when it is on disk, not before', async () => {
    const { hear, around, clock } = start()
    let written = () => {}
    around.disk = () => new Promise((resolve) => (written = resolve))
    await hear(select)
    expect(await hear(help)).toBe('')
    written()
    await clock.settle()
    expect(around.written).toBe(ack)
    expect(around.calls).toMatchObject([{ to: '3001', text: 'HELP ED', priority: '1' }])
  })

  test('with a wrong check character is asked for again', async () => {
    const { hear, around } = start()
    await hear(select)
    expect(await hear(spoilt)).toBe(nak)
    expect(await hear(help)).toBe(ack)
    expect(around.failures).toEqual(['garbled'])
    expect(around.calls).toHaveLength(1)
  })

  test('that could not be recorded is asked for again', async () => {
    const { hear, around } = start()
    await hear(select)
    around.disk = () => Promise.reject(new Error('no'))
    expect(await hear(help)).toBe(nak)
    around.disk = async () => {}
    expect(await hear(help)).toBe(ack)
    expect(around.failures).toEqual(['unrecorded'])
  })

  test('several come in one selection', async () => {
    const { hear, around } = start()
    await hear(select)
    expect(await hear(help)).toBe(ack)
    expect(await hear(block({ to: '1', text: 'X' }))).toBe(ack)
    expect(around.calls).toHaveLength(2)
  })

  test('that is repeated on its way to the disk is answered once', async () => {
    const { hear, around, clock } = start()
    let written = () => {}
    around.disk = () => new Promise((resolve) => (written = resolve))
    await hear(select)
    await hear(help)
    expect(await hear(help)).toBe('')
    written()
    await clock.settle()
    expect(around.written).toBe(ack)
    expect(around.calls).toHaveLength(1)
  })

  test.each([
    ['ends', eot, eot],
    ['polls', `${eot}2\x05`, eot],
    ['selects', `${eot}${select}`, `2${nak}`],
    ['sends another', block({ text: 'OTHER' }), ''],
  ])(
    'whose sender %s before the answer is not answered: it would be taken for another',
    async (_, bytes, answer) => {
      const { hear, around, clock } = start()
      let written = () => {}
      around.disk = () => new Promise((resolve) => (written = resolve))
      await hear(select)
      await hear(help)
      expect(await hear(bytes)).toBe(answer === eot && bytes === eot ? '' : answer)
      around.written = ''
      written()
      await clock.settle()
      expect(around.written).toBe('')
      await hear(eot)
      expect(await hear(select)).toBe(ack)
    },
  )

  test('whose sender is gone is recorded, and nobody is answered', async () => {
    const { hear, around, clock, session } = start()
    let written = () => {}
    around.disk = () => new Promise((resolve) => (written = resolve))
    await hear(select)
    await hear(help)
    session.over()
    written()
    await clock.settle()
    expect(around.written).toBe('')
  })
})
