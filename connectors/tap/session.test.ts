import { describe, expect, test } from 'vitest'
import { SimulatedClock } from '../../core/clock.ts'
import { blocks, spoilt } from '../../mocks/tap-sender/frame.ts'
import { Session } from './session.ts'

const ack = '\x06\r'
const nak = '\x15\r'
const off = '\x1b\x04\r'

const start = () => {
  const clock = new SimulatedClock()
  const around = {
    written: '',
    pages: [] as { pager: string; text: string }[],
    failures: [] as string[],
    alive: 0,
    disk: async (): Promise<void> => {},
  }
  const session = new Session({
    clock,
    write: (text) => {
      around.written += text
    },
    alive: () => {
      around.alive++
    },
    take: (page) => {
      around.pages.push(page)
      return around.disk()
    },
    failed: (what) => void around.failures.push(what),
  })
  const hear = async (text: string): Promise<string> => {
    around.written = ''
    session.hear(Buffer.from(text, 'latin1'))
    await clock.settle()
    return around.written
  }
  return { around, clock, hear, session }
}

const loggedIn = async () => {
  const all = start()
  await all.hear('\r\x1bPG1\r')
  return all
}

const [page = ''] = blocks('123', 'HELP ED')

describe('logging in', () => {
  test('a knock is asked for its id, as often as it comes; PG1 may go ahead', async () => {
    const { hear } = start()
    expect(await hear('\r')).toBe('ID=')
    expect(await hear('\r')).toBe('ID=')
    expect(await hear('\x1bPG1\r')).toBe(`${ack}\x1b[p\r`)
  })

  test('a password is passed over', async () => {
    expect(await start().hear('\x1bPG1secret\r')).toBe(`${ack}\x1b[p\r`)
  })

  test('what is no log-in is refused, and disconnected the third time', async () => {
    const { hear, around } = start()
    expect(await hear('M\r')).toBe(nak)
    expect(await hear('x\ry\r')).toBe(nak + off)
    expect(around.alive).toBe(0)
  })

  test('a block before it is disconnected: the sender starts anew', async () => {
    const { hear, around } = start()
    expect(await hear(page)).toBe(off)
    expect(around.pages).toEqual([])
  })

  test('one carriage return too many in a session is nothing; a second one is a new session', async () => {
    const { hear } = await loggedIn()
    expect(await hear('\r')).toBe('')
    expect(await hear('\r')).toBe('ID=')
  })
})

describe('a page', () => {
  test('is acknowledged when it is on disk, not before', async () => {
    const { hear, around, clock } = await loggedIn()
    let written = () => {}
    around.disk = () => new Promise((resolve) => (written = resolve))
    expect(await hear(page)).toBe('')
    written()
    await clock.settle()
    expect(around.written).toBe(ack)
    expect(around.pages).toEqual([{ pager: '123', text: 'HELP ED' }])
  })

  test('that could not be recorded is asked for again', async () => {
    const { hear, around } = await loggedIn()
    around.disk = () => Promise.reject(new Error('no'))
    expect(await hear(page)).toBe(nak)
    around.disk = async () => {}
    expect(await hear(page)).toBe(ack)
    expect(around.failures).toEqual(['unrecorded'])
  })

  test('that is repeated while it is on its way to the disk is answered once', async () => {
    const { hear, around, clock } = await loggedIn()
    let written = () => {}
    around.disk = () => new Promise((resolve) => (written = resolve))
    await hear(page)
    await hear(page)
    expect(await hear(page)).toBe('')
    written()
    await clock.settle()
    expect(around.written).toBe(ack)
    expect(around.pages).toHaveLength(1)
  })

  test('that the sender has given up on is not answered: the next one is', async () => {
    const { hear, around, clock } = await loggedIn()
    const written: (() => void)[] = []
    around.disk = () => new Promise((resolve) => void written.push(resolve))
    await hear(page)
    await hear(blocks('123', 'ANOTHER').join(''))
    written.shift()?.()
    await clock.settle()
    expect(around.written).toBe('')
    written.shift()?.()
    await clock.settle()
    expect(around.written).toBe(ack)
    expect(around.pages.map(({ text }) => text)).toEqual(['HELP ED', 'ANOTHER'])
  })

  test('with a wrong checksum is asked for again, and the session ends at the third in a row', async () => {
    const { hear, around } = await loggedIn()
    expect(await hear(spoilt(page))).toBe(nak)
    expect(await hear(page)).toBe(ack)
    expect(await hear(spoilt(page))).toBe(nak)
    expect(await hear(spoilt(page))).toBe(nak)
    expect(await hear(spoilt(page))).toBe(off)
    expect(around.failures).toEqual(['garbled'])
    expect(await hear(page)).toBe(off)
  })

  test('of which half came is forgotten after 10 s, and no knock in between', async () => {
    const { hear, around, clock } = await loggedIn()
    await hear(page.slice(0, 6))
    await clock.advance(10_000)
    expect(await hear('\r\r')).toBe('ID=')
    expect(around.pages).toEqual([])
  })
})

describe('a page of two blocks', () => {
  const [first = '', second = ''] = blocks('123', 'HELP IN THE ED', 'US')
  const whole = { pager: '123', text: 'HELP IN THE ED' }

  test('is one page; a block that comes twice counts once', async () => {
    const { hear, around } = await loggedIn()
    expect(await hear(first)).toBe(ack)
    expect(await hear(first)).toBe(ack)
    expect(await hear(second)).toBe(ack)
    expect(around.pages).toEqual([whole])
  })

  test('told again at its end is the same page', async () => {
    const { hear, around } = await loggedIn()
    await hear(first)
    await hear(second)
    expect(await hear(second)).toBe(ack)
    expect(around.pages).toEqual([whole, whole])
  })

  test('is kept for the end that could not be recorded', async () => {
    const { hear, around } = await loggedIn()
    await hear(first)
    around.disk = () => Promise.reject(new Error('no'))
    expect(await hear(second)).toBe(nak)
    around.disk = async () => {}
    expect(await hear(second)).toBe(ack)
    expect(around.pages).toEqual([whole, whole])
  })

  test.each([
    [
      'the sender says goodbye',
      async ({ hear }: Awaited<ReturnType<typeof loggedIn>>) => void (await hear('\x04\r')),
    ],
    ['the sender is gone', async ({ session }: Awaited<ReturnType<typeof loggedIn>>) => session.over()],
    ['30 s pass', ({ clock }: Awaited<ReturnType<typeof loggedIn>>) => clock.advance(30_000)],
  ])('whose end never comes is taken as it is when %s: we have acknowledged it', async (_, end) => {
    const all = await loggedIn()
    await all.hear(first)
    await end(all)
    await all.clock.settle()
    expect(all.around.pages).toEqual([{ pager: '123', text: 'HELP IN' }])
  })

  test('that never ends is cut, and costs a bounded memory', async () => {
    const { hear, around } = await loggedIn()
    for (let n = 0; n < 100; n++) await hear(blocks('1', `${n}${'x'.repeat(400)}`, 'US')[0] ?? '')
    await hear(second)
    expect(around.pages[0]?.text.length).toBeLessThan(4_600)
  })
})

test('goodbye is answered with goodbye', async () => {
  const { hear } = await loggedIn()
  expect(await hear('\x04\r')).toBe(off)
})
