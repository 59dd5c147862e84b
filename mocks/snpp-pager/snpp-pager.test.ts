import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { Dial } from '../dial.ts'
import { type SnppPager, type SnppPagerOptions, startSnppPager } from './index.ts'

let pager: SnppPager
let client: Dial

const start = async (options: Partial<SnppPagerOptions> = {}) => {
  pager = await startSnppPager({ pagers: ['5550100', '5550101'], ...options })
  client = await Dial.to(pager.port)
  expect(await client.line()).toMatch(/^220 /)
}

afterEach(async () => {
  await client.end()
  await pager.close()
})

const say = async (line: string): Promise<string> => {
  client.send(`${line}\r\n`)
  return client.line()
}

/** The reply codes of several commands. */
const codes = async (...lines: string[]): Promise<string> => {
  const replies: string[] = []
  for (const line of lines) replies.push((await say(line)).slice(0, 3))
  return replies.join(' ')
}

describe('level 1 of RFC 1861', () => {
  test('a page: PAGE, MESS, SEND, QUIT', async () => {
    await start()
    expect(await codes('PAGE 5550100', 'MESS Duress ED Triage 2', 'SEND', 'QUIT')).toBe('250 250 250 221')
    await client.closed
    const page = await pager.journal.expect('page')
    expect(page.detail).toEqual({ id: '5550100', text: 'Duress ED Triage 2' })
    pager.journal.verify()
  })

  test('commands in any case, whole or by their four letters', async () => {
    await start()
    expect(await codes('pager 5550100', 'Message hello', 'sEnD')).toBe('250 250 250')
    expect(await codes('PAG 5550100', 'PAGX 1', 'PAGERS 1', '')).toBe('500 500 500 500')
  })

  test('an unknown pager is 550, at once or when sent', async () => {
    await start()
    expect(await codes('PAGE 999', 'MESS x', 'SEND')).toBe('550 250 503')
    await client.end()
    await pager.close()
    await start({ rejectsAt: 'send' })
    expect(await codes('PAGE 999', 'MESS x', 'SEND', 'SEND')).toBe('250 250 550 503')
    expect(pager.journal.all).toEqual([])
  })

  test('a second message, or a send without pager or message, is 503', async () => {
    await start()
    expect(await codes('SEND', 'MESS a', 'MESS b', 'DATA', 'SEND')).toBe('503 250 503 503 503')
    expect(await codes('RESET', 'PAGE 5550100', 'SEND', 'MESS', 'MESS c', 'SEND')).toBe(
      '250 250 503 550 250 250',
    )
    expect(pager.journal.all.map(({ detail }) => detail.text)).toEqual(['c'])
  })

  test('after a send the next message starts anew, after RESET too', async () => {
    await start()
    expect(await codes('PAGE 5550100', 'MESS a', 'SEND', 'SEND')).toBe('250 250 250 503')
    expect(await codes('PAGE 5550100', 'MESS b', 'RESE', 'SEND')).toBe('250 250 250 503')
  })

  test('what comes after QUIT is not heard', async () => {
    await start()
    client.send('PAGE 5550100\r\nMESS a\r\nQUIT\r\nSEND\r\n')
    await client.closed
    expect(pager.journal.all).toEqual([])
  })

  test('help is 214 line by line and ends with 250', async () => {
    await start()
    client.send('HELP\r\n')
    let line = await client.line()
    expect(line).toMatch(/^214 /)
    while (line.startsWith('214 ')) line = await client.line()
    expect(line).toMatch(/^250 /)
  })

  test('a gateway of level 1 knows nothing else and one pager per message', async () => {
    await start({ level2: false })
    expect(await codes('DATA', 'LEVEL 1', 'ALERT 1', 'SUBJ x', '2WAY')).toBe('500 500 500 500 500')
    expect(await codes('PAGE 5550100', 'PAGE 5550101')).toBe('250 503')
  })

  test('ten refused commands end the connection', async () => {
    await start()
    expect(await codes(...Array.from({ length: 10 }, () => 'SEND'))).toBe(
      '503 503 503 503 503 503 503 503 503 421',
    )
    await client.closed
  })
})

describe('level 2 of RFC 1861', () => {
  test('level, alert, coverage and hold go with the next pager; subject and caller with the message', async () => {
    await start()
    await codes('LEVEL 0', 'ALERT 1', 'COVE north', 'HOLD 261122140000 -6', 'PAGE 5550100', 'PAGE 5550101')
    expect(await codes('SUBJECT ED', 'CALLERID 42', 'MESS x', 'SEND')).toBe('250 250 250 250')
    const message = { text: 'x', subject: 'ED', callerId: '42' }
    expect(pager.journal.all.map(({ detail }) => detail)).toEqual([
      { id: '5550100', level: 0, alert: true, coverage: 'north', holdUntil: '261122140000 -6', ...message },
      { id: '5550101', ...message },
    ])
  })

  test('values that make no sense are 550', async () => {
    await start()
    expect(await codes('LEVEL 12', 'LEVEL x', 'ALERT 2', 'HOLD tomorrow', 'COVE', 'SUBJ')).toBe(
      '550 550 550 550 550 550',
    )
  })

  test('text by DATA: several lines, and dots that were stuffed', async () => {
    await start()
    expect(await codes('PAGE 5550100', 'DATA')).toBe('250 354')
    client.send('first\r\n..hidden\r\nSEND\r\n...\r\n.\r\n')
    expect(await client.line()).toMatch(/^250 /)
    expect(await codes('SEND')).toBe('250')
    expect(pager.journal.all[0]?.detail.text).toBe('first\n.hidden\nSEND\n..')
  })

  test('who must log in and did not is 530; a wrong password is 550', async () => {
    await start({ login: { id: 'bridge', password: 'open' } })
    expect(await codes('PAGE 5550100', 'LOGIN bridge shut', 'PAGE 5550100')).toBe('530 550 530')
    expect(await codes('LOGI bridge open', 'PAGE 5550100')).toBe('250 250')
  })
})

describe('behaviours', () => {
  test('refused connections, until told otherwise', async () => {
    await start()
    pager.refuse(true)
    await client.closed
    await expect(Dial.to(pager.port)).rejects.toThrow('ECONNREFUSED')
    pager.refuse(false)
    client = await Dial.to(pager.port)
    expect(await client.line()).toMatch(/^220 /)
  })

  test('refused for a time, by greeting', async () => {
    await start()
    pager.refuse(true, { by: 'greeting' })
    await client.end()
    client = await Dial.to(pager.port)
    expect(await client.line()).toMatch(/^421 /)
    await client.closed
    pager.refuse(20, { by: 'greeting' })
    await expect
      .poll(async () => {
        await client.end()
        client = await Dial.to(pager.port)
        return client.line()
      })
      .toMatch(/^220 /)
  })

  test('a busy terminal is 554, and takes the page when it is free', async () => {
    await start()
    pager.busy()
    expect(await codes('PAGE 5550100', 'MESS a', 'SEND')).toBe('250 250 554')
    pager.busy(false)
    expect(await codes('SEND')).toBe('250')
  })

  test('slow sends late, half-open sends and says nothing', async () => {
    await start()
    pager.behave({ is: 'slow', ms: 20 })
    expect(await codes('PAGE 5550100', 'MESS a')).toBe('250 250')
    pager.behave({ is: 'half-open' })
    client.send('SEND\r\n')
    await pager.journal.expect('page')
    pager.behave({ is: 'normal' })
    expect(await codes('HELP')).toBe('214')
  })

  test('garbage is no reply', async () => {
    await start()
    pager.behave({ is: 'garbage' })
    client.send('PAGE 5550100\r\n')
    expect((await client.read(24))[0]).toBeGreaterThanOrEqual(0x80)
  })

  test.each([
    ['odd-code', '799 Message OK'],
    ['multi-line', '250-Message OK'],
    ['no-code', 'Message OK'],
  ] as const)('a wrong answer: %s', async (how, reply) => {
    await start()
    pager.answerWrong(how)
    expect(await say('MESS a')).toBe(reply)
    if (how === 'multi-line') expect(await client.line()).toBe('250 Message OK')
  })

  test.each(['drop', 'hang'] as const)('the page goes out but the line %ss before the reply', async (how) => {
    await start()
    await codes('PAGE 5550100', 'MESS a')
    pager.stopAt('SEND', how)
    client.send('SEND\r\n')
    await pager.journal.expect('page')
    if (how === 'drop') await client.closed
    expect(client.unread.length).toBe(0)
  })

  test('hanging up on idle clients says 421', async () => {
    await start()
    pager.hangUp()
    expect(await client.line()).toMatch(/^421 /)
    await client.closed
  })

  test('after a reboot the port is the same and the session gone', async () => {
    await start()
    const rebooted = pager.reboot(10)
    await client.closed
    await rebooted
    client = await Dial.to(pager.port)
    await client.line()
    expect(await codes('SEND')).toBe('503')
    expect(pager.openSockets).toBe(1)
  })
})

describe('hostile clients', () => {
  test.each([
    ['a long line', 'MESS ' + 'x'.repeat(2_000) + '\r\n'],
    ['a line without end', 'x'.repeat(2_000)],
    ['endless data', 'DATA\r\n' + ('x'.repeat(1_000) + '\r\n').repeat(40)],
  ])('%s ends the connection', async (_, bytes) => {
    await start()
    client.send(bytes)
    await client.closed
  })

  test('noise and lines in pieces harm nobody', async () => {
    await start()
    for (let i = 0; i < 50; i++) {
      const noisy = await Dial.to(pager.port)
      noisy.send(randomBytes(300))
      await noisy.end()
    }
    for (const byte of 'PAGE 55501') client.send(byte)
    expect(await codes('00')).toBe('250')
  })
})
