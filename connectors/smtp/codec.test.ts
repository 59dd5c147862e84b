import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readMail, wordsOf } from './codec.ts'

const read = (...lines: string[]) => readMail(Buffer.from(lines.join('\r\n'), 'latin1'))
const plain = 'Content-Type: text/plain; charset=utf-8'

describe('a mail', () => {
  test('says its subject and its text', async () => {
    const mail = await read(
      'Subject: Code Gray',
      'Message-ID: <1@a>',
      'Date: Sun, 22 Nov 2026 10:00:00 +0000',
      '',
      'ED 2',
    )
    expect(mail).toMatchObject({ text: 'Code Gray ED 2', id: '<1@a> 2026-11-22T10:00:00.000Z' })
  })

  test.each([
    [
      'quoted-printable',
      [plain, 'Content-Transfer-Encoding: quoted-printable', '', 'Zimmer f=C3=BCr =\r\nalle'],
    ],
    ['base64', [plain, 'Content-Transfer-Encoding: base64', '', 'WmltbWVyIGbDvHIgYWxsZQ==']],
    [
      'ISO 8859-1',
      [
        'Content-Type: text/plain; charset=iso-8859-1',
        'Content-Transfer-Encoding: 8bit',
        '',
        'Zimmer f\xfcr alle',
      ],
    ],
    [
      'HTML alone',
      ['Content-Type: text/html; charset=utf-8', '', '<style>p{}</style><p>Zimmer f&uuml;r<br>alle</p>'],
    ],
  ])('by %s', async (_how, lines) => {
    expect((await read(...lines)).text.trim().replace('&uuml;', 'ü')).toBe('Zimmer für alle')
  })

  test('with plain text and HTML is read by its plain text', async () => {
    const mail = await read(
      'Content-Type: multipart/alternative; boundary=x',
      '',
      '--x',
      'Content-Type: text/html',
      '',
      '<b>HTML</b>',
      '--x',
      'Content-Type: text/plain',
      '',
      'PLAIN',
      '--x--',
    )
    expect(mail.text).toContain('PLAIN')
    expect(mail.text).not.toContain('HTML')
  })

  test.each([
    ['Auto-Submitted: auto-replied', 'auto-replied'],
    ['Auto-Submitted: no', undefined],
    ['Content-Type: multipart/report; report-type=delivery-status; boundary=x', 'report'],
    ['Precedence: bulk', 'bulk'],
    ['X-Other: 1', undefined],
  ])('%s is marked %s', async (header, automatic) => {
    expect((await read(header, 'Subject: x', '', 'y')).raw).toMatchObject({ automatic })
  })

  test.each([
    ['nothing', ''],
    ['no headers', '\r\nCODE GRAY'],
    ['a line without end', 'CODE GRAY'],
    [
      'cut in the middle of a part',
      `Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n${plain}\r\n\r\nCODE GR`,
    ],
  ])('of %s is a mail', async (_what, text) => {
    expect(typeof (await read(text)).text).toBe('string')
  })

  test('of parts within parts without end is read as it stands', async () => {
    const deep = Array.from(
      { length: 300 },
      (_, nth) => `Content-Type: multipart/mixed; boundary=b${nth}\r\n\r\n--b${nth}\r\n`,
    )
    const mail = await read(`${deep.join('')}${plain}\r\n\r\nCODE GRAY`)
    expect(mail.text).toContain('CODE GRAY')
    expect(mail.raw).toEqual({ unreadable: true })
  })
})

describe('hostile mails', () => {
  test('any bytes give a text, and never throw', async () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      fc.constantFrom(
        'Subject: =?utf-8?B?',
        'Content-Type: multipart/mixed; boundary=x\r\n',
        'Content-Type: text/html\r\n',
        'Content-Transfer-Encoding: base64\r\n',
        'Content-Transfer-Encoding: quoted-printable\r\n',
        '\r\n\r\n',
        '--x\r\n',
        '--x--\r\n',
        '<script>',
        '&#x110000;',
        '=C3=',
      ),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const { text, id } = await read(pieces.join(''))
        expect(typeof text).toBe('string')
        expect((id ?? '').length).toBeLessThanOrEqual(400)
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['tags that never end', '<script'.repeat(30_000)],
    ['opening tags', '<'.repeat(200_000)],
    ['entities', '&'.repeat(200_000)],
    ['encoded words', `Subject: ${'=?utf-8?Q?a?= '.repeat(4_000)}`],
    ['parts', `Content-Type: multipart/mixed; boundary=x\r\n\r\n${'--x\r\n\r\n'.repeat(20_000)}`],
    ['addresses', `From: ${'<a@b>,'.repeat(9_000)}`],
    ['HTML', `Content-Type: text/html\r\n\r\n${'<p'.repeat(100_000)}`],
  ])(
    'a quarter of a megabyte of %s is read to its end',
    async (_what, text) => {
      expect(wordsOf(text).length).toBeLessThanOrEqual(text.length * 3)
      const mail = await read(text)
      expect(typeof mail.text).toBe('string')
    },
    3_000,
  )
})

describe('the words of HTML', () => {
  test.each([
    ['<p>Code&nbsp;Gray</p><p>ED&#32;2</p>', 'Code Gray ED 2'],
    ['<head><title>x</title></head><body>CODE<br/>GRAY</body>', 'CODE GRAY'],
    ['<script>if (a < b) alert(1)</script>HELP', 'HELP'],
    ['<style>p { } HELP', 'p { } HELP'],
    ['a < b', 'a < b'],
    ['&lt;ED&gt; &bogus; &#x110000;', '<ED> &bogus; &#x110000;'],
  ])('%s', (html, words) => {
    expect(wordsOf(html)).toBe(words)
  })
})
