import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failure, readRequest, submitRequest, success, versionResponse } from './codec.ts'

const read = (text: string) => readRequest(Buffer.from(text))

/** The message of protocols.md, valid by the DTD. */
const whole = `<wctp-Operation wctpVersion="wctp-dtd-v1r3"><wctp-SubmitRequest><wctp-SubmitHeader submitTimestamp="2026-11-21T19:40:00"><wctp-Originator senderID="bridge@hospital.test" securityCode="s3cret"/><wctp-MessageControl messageID="INC-42-1" allowResponse="true" notifyWhenQueued="true" notifyWhenDelivered="true" deliveryPriority="HIGH" allowTruncation="false"/><wctp-Recipient recipientID="5551234567"/></wctp-SubmitHeader><wctp-Payload><wctp-Alphanumeric>DURESS ED Triage 2</wctp-Alphanumeric></wctp-Payload></wctp-SubmitRequest></wctp-Operation>`
const doctype = '<!DOCTYPE wctp-Operation SYSTEM "http://dtd.wctp.org/wctp-dtd-v1r3.dtd">'
const withPayload = (payload: string) =>
  whole.replace('<wctp-Alphanumeric>DURESS ED Triage 2</wctp-Alphanumeric>', payload)
const pageIn = (text: string | Buffer) => {
  const request = typeof text === 'string' ? read(text) : readRequest(text)
  if (request.is !== 'page') throw new Error(JSON.stringify(request))
  return request.page
}

describe('a request', () => {
  test('says who, to whom, and what', () => {
    expect(read(whole)).toEqual({
      is: 'page',
      dress: { version: 'wctp-dtd-v1r3', doctype: false, client: false },
      page: {
        sender: 'bridge@hospital.test',
        code: 's3cret',
        recipients: ['5551234567'],
        text: 'DURESS ED Triage 2',
        id: 'INC-42-1 2026-11-21T19:40:00',
        raw: {
          control: {
            messageID: 'INC-42-1',
            allowResponse: 'true',
            notifyWhenQueued: 'true',
            notifyWhenDelivered: 'true',
            deliveryPriority: 'HIGH',
            allowTruncation: 'false',
          },
          recipients: ['5551234567'],
          choices: [],
        },
      },
    })
  })

  test.each([
    ['UTF-8', Buffer.from(whole)],
    ['UTF-8 with its mark', Buffer.from(`\ufeff${whole}`)],
    [
      'UTF-16 little-endian with its mark',
      Buffer.from(`\ufeff<?xml version="1.0" encoding="UTF-16"?>${whole}`, 'utf16le'),
    ],
    ['UTF-16 big-endian with its mark', Buffer.from(`\ufeff${whole}`, 'utf16le').swap16()],
    ['UTF-16 without a mark', Buffer.from(whole, 'utf16le')],
  ])('in %s says the same', (_alphabet, bytes) => {
    expect(pageIn(bytes).text).toBe('DURESS ED Triage 2')
  })

  test('in Latin-1 keeps its letters', () => {
    const bytes = Buffer.from(
      `<?xml version="1.0" encoding="ISO-8859-1"?>${whole.replace('Triage', 'f\xfcr')}`,
      'latin1',
    )
    expect(pageIn(bytes).text).toBe('DURESS ED für 2')
  })

  test.each([
    ['a type by reference', `<?xml version="1.0"?>\n${doctype}\n${whole}`],
    ['a comment before it', `<?xml version="1.0"?><!-- rtls 4.2 -->${doctype}${whole}`],
    [
      'a prefix',
      whole
        .replaceAll('<wctp-', '<x:wctp-')
        .replaceAll('</wctp-', '</x:wctp-')
        .replace('<x:wctp-Operation', '<x:wctp-Operation xmlns:x="urn:x"'),
    ],
  ])('with %s is read', (_what, text) => {
    expect(pageIn(text).text).toBe('DURESS ED Triage 2')
  })

  test.each([
    [
      'entities and references',
      '<wctp-Alphanumeric>A &amp; B &lt;ED&gt; &#50; &#x33;</wctp-Alphanumeric>',
      'A & B <ED> 2 3',
    ],
    [
      'an & that nobody escaped',
      '<wctp-Alphanumeric>Labour & Delivery</wctp-Alphanumeric>',
      'Labour & Delivery',
    ],
    ['an entity of nobody', '<wctp-Alphanumeric>A&nbsp;B</wctp-Alphanumeric>', 'A&nbsp;B'],
    ['CDATA', '<wctp-Alphanumeric><![CDATA[A & <B> &amp;]]></wctp-Alphanumeric>', 'A & <B> &amp;'],
    [
      'base64',
      `<wctp-TransparentData type="OPAQUE" encoding="base64">${Buffer.from('für ED').toString('base64')}</wctp-TransparentData>`,
      'für ED',
    ],
    ['what we do not know', '<wctp-Other><a>CODE</a><b>GRAY</b></wctp-Other>', 'CODE GRAY'],
    ['nothing', '<wctp-Alphanumeric/>', ''],
  ])('with %s in its text', (_what, payload, text) => {
    expect(pageIn(withPayload(payload)).text).toBe(text)
  })

  test('of choices keeps them, and reads the text alone', () => {
    const page = pageIn(
      withPayload(
        '<wctp-MCR><wctp-MessageText>CODE GRAY 4W</wctp-MessageText><wctp-Choice>Accept</wctp-Choice><wctp-ChoicePair><wctp-SendChoice>Busy</wctp-SendChoice><wctp-ReplyChoice>2</wctp-ReplyChoice></wctp-ChoicePair></wctp-MCR>',
      ),
    )
    expect(page.text).toBe('CODE GRAY 4W')
    expect(page.raw).toMatchObject({ choices: ['Accept', 'Busy'] })
  })

  test('of a transient client has no code; one to many has many recipients', () => {
    const client = read(
      '<wctp-Operation wctpVersion="wctp-dtd-v1r2"><wctp-SubmitClientMessage><wctp-SubmitClientHeader><wctp-ClientOriginator senderID="a"/><wctp-ClientMessageControl/><wctp-Recipient recipientID="1"/></wctp-SubmitClientHeader><wctp-Payload><wctp-Alphanumeric>x</wctp-Alphanumeric></wctp-Payload></wctp-SubmitClientMessage></wctp-Operation>',
    )
    expect(client).toMatchObject({
      is: 'page',
      dress: { client: true, version: 'wctp-dtd-v1r2' },
      page: { code: '', id: undefined },
    })
    const many = whole
      .replaceAll('SubmitRequest', 'SendMsgMulti')
      .replace(
        '<wctp-Recipient recipientID="5551234567"/>',
        '<wctp-Recipient recipientID="1"/><wctp-Recipient recipientID="2"/>',
      )
    expect(pageIn(many).recipients).toEqual(['1', '2'])
  })
})

describe('what is no message', () => {
  test.each([
    ['nothing', '', 301],
    ['no XML', 'hello', 301],
    ['JSON', '{"a":1}', 301],
    ['something else', '<html/>', 301],
    ['one that ends too soon', whole.slice(0, -40), 301],
    ['a CDATA section without end', withPayload('<wctp-Alphanumeric><![CDATA[x</wctp-Alphanumeric>'), 301],
    ['an operation without anything', '<wctp-Operation/>', 300],
    ['no sender', whole.replace('senderID', 'sender'), 302],
    ['no payload', whole.replace(/<wctp-Payload>.*<\/wctp-Payload>/, ''), 302],
    ['a question about a client', '<wctp-Operation><wctp-ClientQuery senderID="a"/></wctp-Operation>', 300],
    ['a look-up', '<wctp-Operation><wctp-LookupSubscriber/></wctp-Operation>', 300],
    ['a poll', '<wctp-Operation><wctp-PollForMessages/></wctp-Operation>', 300],
    [
      'a reply',
      '<wctp-Operation><wctp-MessageReply><wctp-Payload/></wctp-MessageReply></wctp-Operation>',
      300,
    ],
  ])('%s', (_what, text, code) => {
    expect(read(text)).toMatchObject({ is: 'wrong', failure: code })
  })

  test.each([
    ['billion laughs', `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>${whole}`],
    [
      'an entity from a file',
      `<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>${withPayload('<wctp-Alphanumeric>&x;</wctp-Alphanumeric>')}`,
    ],
    ['a parameter entity', `<!DOCTYPE l [<!ENTITY % x SYSTEM "http://127.0.0.1/x"> %x;]>${whole}`],
    ['a second type', `${doctype}${doctype}${whole}`],
    ['thousands of tags', withPayload('<a/>'.repeat(5_000))],
    ['tags within tags', withPayload(`${'<a>'.repeat(200)}x${'</a>'.repeat(200)}`)],
  ])('%s is refused, and nothing is looked up or unfolded', (_what, text) => {
    expect(read(text)).toMatchObject({ is: 'wrong', failure: 301 })
  })

  test.each(['__proto__', 'constructor', 'toString'])('an element named %s does nothing', (name) => {
    expect(['page', 'wrong']).toContain(read(withPayload(`<${name} senderID="x">y</${name}>`)).is)
    expect(({} as Record<string, unknown>)['senderID']).toBeUndefined()
  })

  test('any bytes are a request or none, and never throw', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      fc.constantFrom(
        '<wctp-Operation>',
        '</wctp-Operation>',
        '<wctp-SubmitRequest>',
        '<wctp-Originator senderID="a"/>',
        '<wctp-Payload>',
        '</wctp-Payload>',
        '<![CDATA[',
        ']]>',
        '<!--',
        '<?xml version="1.0"?>',
        '&#x110000;',
        doctype,
        whole,
      ),
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 10 }),
        fc.constantFrom('latin1', 'utf16le'),
        (pieces, encoding) => {
          const request = readRequest(Buffer.from(pieces.join(''), encoding as BufferEncoding))
          expect(['page', 'version', 'wrong']).toContain(request.is)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test.each([
    ['a letter changed', (at: number) => whole.slice(0, at) + '\u0001' + whole.slice(at + 1)],
    ['cut', (at: number) => whole.slice(0, at)],
    ['doubled from there', (at: number) => whole + whole.slice(at)],
  ])('a message with %s anywhere is a message or none', (_how, make) => {
    for (let at = 0; at < whole.length; at++) expect(['page', 'wrong']).toContain(read(make(at)).is)
  })
})

describe('an answer', () => {
  const dress = { version: 'wctp-dtd-v1r3', doctype: true, client: false }
  const answers = {
    success: success(dress, 'x'),
    'success to a client': success({ ...dress, client: true }, 'a"<&'),
    failure: failure({ ...dress, doctype: false }, 606),
    'failure to a client': failure({ ...dress, client: true }, 402),
    version: versionResponse(dress, { inquirer: '<"&', asked: '2026-11-21T19:40:00', now: 0 }),
    'our own request': submitRequest({ sender: '"a&b<', code: "'", text: 'x\u0001 < & \ud800' }, 0),
  }

  test.each(Object.entries(answers))('%s is well-formed for another reader', (_name, xml) => {
    execFileSync('xmllint', ['--noout', '--nonet', '-'], { input: xml })
  })

  test('says what WCTP 1.3 says', () => {
    expect(answers.success).toContain('<wctp-Confirmation><wctp-Success successCode="200"')
    expect(answers['success to a client']).toContain(
      '<wctp-SubmitClientResponse><wctp-ClientSuccess successCode="200"',
    )
    expect(answers.failure).toContain('<wctp-Confirmation><wctp-Failure errorCode="606"')
    expect(answers.failure).not.toContain('DOCTYPE')
    expect(answers.version).toContain('dtdName="wctp-dtd-v1r3"')
  })

  test('of ours to ourselves is one that we read', () => {
    expect(pageIn(answers['our own request'])).toMatchObject({ sender: '"a&b<', code: "'" })
  })
})
