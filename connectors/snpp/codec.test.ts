import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  command,
  isSent,
  jobOf,
  LineReader,
  lineMax,
  NoLine,
  NoReply,
  type Reply,
  ReplyReader,
  reply,
  textOf,
  type Verb,
  verbOf,
} from './codec.ts'

const read = (...chunks: (string | Uint8Array)[]): Reply[] => {
  const reader = new ReplyReader()
  return chunks.flatMap((chunk) => reader.feed(Buffer.from(chunk as string)))
}

describe('replies', () => {
  test('one line, whichever way it ends and is cut', () => {
    expect(read('220 gateway ready\r\n')).toEqual([{ code: 220, text: 'gateway ready' }])
    expect(read('25', '0', ' ok\r', '\n250 again\n')).toEqual([
      { code: 250, text: 'ok' },
      { code: 250, text: 'again' },
    ])
    expect(read('250\r\n')).toEqual([{ code: 250, text: '' }])
  })

  test('several lines are one answer', () => {
    expect(read('250-accepted\r\n250-job: 12\r\n250 done\r\n')).toEqual([
      { code: 250, text: 'accepted job: 12 done' },
    ])
  })

  test.each([
    ['no code', 'hello\r\n'],
    ['noise without an end of line', Buffer.from([0x93, 0x41, 0x07])],
    ['a greeting of something else', 'SSH-2.0'],
    ['two digits', '25 ok\r\n'],
    ['an answer that changes its code', '250-a\r\n550 b\r\n'],
    ['a line without end', 'x'.repeat(lineMax)],
    ['a line that is too long', `250 ${'x'.repeat(lineMax)}\r\n`],
    ['an answer without end', '250-x\r\n'.repeat(100)],
    ['bytes of nothing', Buffer.from([0xff, 0xfe, 0x00, 0x0a])],
  ])('%s is no reply', (_, bytes) => {
    expect(() => read(bytes)).toThrow(NoReply)
  })

  test('what the server says is printable when it is told on', () => {
    expect(read('550 \u0007\u001b[31mno\r\n')).toEqual([{ code: 550, text: '??[31mno' }])
  })

  test('any bytes in any pieces give replies or NoReply, and keep no more than a line', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 700 }),
      fc.stringMatching(/^(\d{3}[ -][a-z]{0,9}\r?\n){0,9}$/).map((text) => Buffer.from(text)),
    )
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 8 }), (chunks) => {
        const reader = new ReplyReader()
        try {
          for (const chunk of chunks)
            for (const { code, text } of reader.feed(chunk)) {
              expect(code).toBeLessThan(1_000)
              expect(text).toMatch(/^[ -~]*$/)
            }
        } catch (error) {
          expect(error).toBeInstanceOf(NoReply)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('the pieces in which bytes come change nothing', () => {
    const answer = fc.tuple(fc.integer({ min: 100, max: 999 }), fc.stringMatching(/^[!-~]{1,20}$/))
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 5 }), fc.integer({ min: 1, max: 7 }), (replies, size) => {
        const wire = replies.map(([code, text]) => `${code} ${text}\r\n`).join('')
        const pieces = wire.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
        expect(read(...pieces)).toEqual(replies.map(([code, text]) => ({ code, text })))
      }),
    )
  })
})

describe('commands', () => {
  test('nothing that a word holds makes a second command', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Verb>('MESS', 'PAGE', 'CALL', 'LOGI'),
        fc.string({ unit: 'binary', maxLength: 700 }),
        (verb, text) => {
          const line = command(verb, text)
          expect(line).toMatch(/^[A-Z]{4} [ -~]*\r\n$/)
          expect(line.length).toBeLessThanOrEqual(lineMax)
        },
      ),
    )
    expect(command('MESS', 'a\r\nSEND\r\n.')).toBe('MESS a??SEND??.\r\n')
  })

  test('SEND worked for 2xx, delivered and queued', () => {
    expect([250, 860, 880, 960].map(isSent)).toEqual([true, true, true, true])
    expect([354, 421, 500, 503, 550, 554, 750].map(isSent)).toEqual([
      false,
      false,
      false,
      false,
      false,
      false,
      false,
    ])
  })

  test.each([
    ['Pager ID accepted; provider: acme jobid: 17', '17'],
    ['Message sent, Job #A-9', 'A-9'],
    ['queued, message id=42.1', '42.1'],
    ['Message Sent Successfully', undefined],
    ['job done', undefined],
  ])('the number in %j', (text, job) => {
    expect(jobOf(text)).toBe(job)
  })
})

describe('lines of a client', () => {
  const lines = (...chunks: (string | Uint8Array)[]): string[] => {
    const reader = new LineReader()
    return chunks.flatMap((chunk) => reader.feed(Buffer.from(chunk as string)))
  }

  test('whichever way they end and are cut', () => {
    expect(lines('PAGE 1\r\nME', 'SS x\n', '\r\n', 'half')).toEqual(['PAGE 1', 'MESS x', ''])
  })

  test('the end of a long one is dropped; one without end is no line', () => {
    expect(lines(`${'x'.repeat(60_000)}\nSEND\n`).map(({ length }) => length)).toEqual([2_048, 4])
    expect(() => lines('x'.repeat(40_000), 'x'.repeat(40_000))).toThrow(NoLine)
  })

  test('the pieces in which bytes come change nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 9 }), (bytes, size) => {
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, nth) =>
          bytes.subarray(nth * size, (nth + 1) * size),
        )
        expect(lines(...pieces)).toEqual(lines(bytes))
      }),
    )
  })

  test.each([
    ['PAGEr 1 pin', 'PAGE', '1 pin'],
    ['  mess  a  b ', 'MESS', 'a  b'],
    ['SENDING', 'SEND', ''],
    ['PAG 1', null, '1'],
    ['', null, ''],
  ])('%j is %j', (line, verb, rest) => {
    expect(verbOf(line)).toEqual({ verb, rest })
  })

  test('text is UTF-8, else Latin-1', () => {
    expect(textOf('f\xc3\xbcr')).toBe('für')
    expect(textOf('f\xfcr')).toBe('für')
  })

  test('an answer is one line, whatever it says', () => {
    expect(reply(550, 'no\r\nsuch')).toBe('550 no??such\r\n')
  })
})
