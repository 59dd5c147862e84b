import { describe, expect, test } from 'vitest'
import { Dial } from '../../mocks/dial.ts'
import { testContext } from '../../test/context.ts'
import { gray, open } from './fixtures/open.ts'

describe('hostile callers', () => {
  test.each([
    ['a command without end', 'x'.repeat(70_000)],
    ['no protocol', Buffer.from(Array.from({ length: 2_000 }, (_, nth) => (nth * 7919) % 256))],
    ['commands before the greeting', 'NOOP\r\n'.repeat(20_000)],
  ])('%s harms nobody else', async (_what, bytes) => {
    const { port, sender, presses } = await open()
    const client = await Dial.to(port)
    client.send(bytes)
    expect((await sender().mail(gray)).code).toBe(250)
    await client.end()
    expect(presses).toHaveLength(1)
  })

  test('a mail larger than anything that sends alarms is refused whole', async () => {
    const { sender, presses } = await open()
    expect((await sender().mail({ ...gray, picture: Buffer.alloc(14_000_000, 7) })).code).toBe(552)
    expect(presses).toEqual([])
  })

  /** Greeted and ready for commands: who talks before is sent away. */
  const greeted = async (port: number): Promise<Dial> => {
    const client = await Dial.to(port)
    expect(await client.line()).toMatch(/^220 /)
    client.send('EHLO alarms.test\r\n')
    while (!(await client.line()).startsWith('250 '));
    return client
  }

  test('thousands of commands at once hold up nobody else', async () => {
    const { port, sender } = await open()
    const client = await greeted(port)
    client.send('NOOP\r\n'.repeat(50_000))
    expect((await sender().mail(gray)).code).toBe(250)
    await client.end()
  })

  test('half a mail is none', async () => {
    const { port, presses, sender } = await open()
    const client = await greeted(port)
    client.send('MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n')
    while (!(await client.line()).startsWith('354 '));
    client.send('Subject: Code Gray room ED 2 badge 17\r\n\r\n')
    await client.end()
    expect((await sender().mail({ ...gray, text: 'pull cord' })).code).toBe(250)
    expect(presses).toHaveLength(1)
  })

  test('holding all the connections keeps nobody out', async () => {
    const { port, sender, presses } = await open()
    const held = await Promise.all(Array.from({ length: 200 }, () => Dial.to(port)))
    expect((await sender().mail(gray)).code).toBe(250)
    expect(presses).toHaveLength(1)
    await Promise.all(held.map((each) => each.end()))
  })

  test('who sends a byte now and then is cut off in the end', async () => {
    const testing = testContext()
    const runs: (() => void)[] = []
    // The clock's own timers are of the link; those of the mail server's library run in real time.
    const clock = Object.assign(testing.ctx.clock, {
      after: (ms: number, run: () => void) => {
        if (ms === 300_000) runs.push(run)
        return { cancel: () => {} }
      },
    })
    const { port } = await open({}, { clock })
    const client = await greeted(port)
    client.send('MAIL FR')
    expect(runs).toHaveLength(1)
    runs[0]?.()
    await client.closed
  })
})
