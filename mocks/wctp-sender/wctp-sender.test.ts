import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { wctpSender } from './index.ts'
import { bytesOf, type Message, written } from './message.ts'

const by = { senderID: 'rtls@hospital.test', securityCode: 's3cret', numbered: 'M-1' }
const servers: { close(): void }[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

describe('what it sends', () => {
  const messages: [string, Message][] = [
    ['a host', { to: '1', text: 'A & <B> "C"' }],
    ['a transient client', { to: '1', text: 'x', as: 'client' }],
    ['choices', { to: ['1', '2'], text: 'x', choices: ['Yes & no'] }],
    ['base64', { to: '1', text: 'x', transparent: true }],
    ['no DTD', { to: '1', text: 'x', doctype: false }],
    ['UTF-16', { to: '1', text: 'für', encoding: 'utf-16le' }],
    ['UTF-16, the other way', { to: '1', text: 'für', encoding: 'utf-16be' }],
    ['Latin-1', { to: '1', text: 'für', encoding: 'iso-8859-1' }],
  ]
  test.each(messages)('%s is well-formed for another reader', (_what, message) => {
    execFileSync('xmllint', ['--noout', '--nonet', '-'], {
      input: bytesOf(written(message, by), message.encoding),
    })
  })

  test('the elements of WCTP 1.3, in their order', () => {
    const xml = written({ to: '1', text: 'x', messageID: '7', submitted: new Date(0) }, by)
    expect([...xml.matchAll(/<(wctp-\w+)/g)].map(([, name]) => name)).toEqual([
      'wctp-Operation',
      'wctp-SubmitRequest',
      'wctp-SubmitHeader',
      'wctp-Originator',
      'wctp-MessageControl',
      'wctp-Recipient',
      'wctp-Payload',
      'wctp-Alphanumeric',
    ])
    expect(xml).toContain('submitTimestamp="1970-01-01T00:00:00"')
  })
})

test('the codes of an answer are told, and nothing is thrown without one', async () => {
  const answers = ['<wctp-Success successCode="200"/>', '<wctp-Failure errorCode="606"/>', 'what?']
  const server = createServer((_call, response) => response.end(answers.shift()))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const sender = wctpSender({ url: `http://127.0.0.1:${port}/`, senderID: 'a' })
  const codes = [await sender.submit({ to: '1', text: 'x' }), await sender.repeat(), await sender.repeat()]
  expect(codes.map(({ code }) => code)).toEqual([200, 606, 0])
  server.close()
  server.closeAllConnections()
  expect(await sender.repeat()).toEqual({ status: 0, code: 0, body: '' })
})
