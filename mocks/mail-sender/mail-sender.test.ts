import PostalMime from 'postal-mime'
import { SMTPServer } from 'smtp-server'
import { afterEach, describe, expect, test } from 'vitest'
import { mailSender } from './index.ts'
import { type Mail, written } from './mail.ts'

const servers: SMTPServer[] = []

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise<void>((resolve) => server.close(resolve))))
})

const start = async (options: ConstructorParameters<typeof SMTPServer>[0] = {}) => {
  const mails: string[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    closeTimeout: 100,
    onData: (stream, _session, callback) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        mails.push(Buffer.concat(chunks).toString('latin1'))
        callback()
      })
    },
    ...options,
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as { port: number }
  return { port, mails }
}

test('the dialogue of RFC 5321, with a login', async () => {
  const { port, mails } = await start({
    onAuth: ({ username, password }, _session, callback) =>
      callback(null, { user: `${username}:${password}` }),
  })
  const sender = mailSender({ port, login: { user: 'rtls', password: 'x' } })
  const returned = await sender.mail({ to: ['a@b.test', 'c@d.test'], subject: 'S', text: '.dot\nend' })
  expect(returned.replies).toEqual([
    '220',
    'EHLO 250',
    'AUTH 235',
    'MAIL 250',
    'RCPT 250',
    'RCPT 250',
    'DATA 354',
    '. 250',
  ])
  await sender.repeat()
  expect(mails).toHaveLength(2)
  expect(mails[0]).toBe(mails[1])
  expect(mails[0]).toContain('\r\n.dot\r\nend')
})

test('a refusal ends the dialogue and is told; without a server nothing is thrown', async () => {
  const { port } = await start({
    onMailFrom: (_address, _session, callback) =>
      callback(Object.assign(new Error('no'), { responseCode: 550 })),
  })
  expect(await mailSender({ port }).mail({ to: ['a@b.test'] })).toMatchObject({ code: 550 })
  expect(await mailSender({ port: 1 }).mail({ to: ['a@b.test'] })).toMatchObject({ code: 0, replies: [] })
})

describe('a mail is one for another reader', () => {
  const mails: [string, Mail][] = [
    ['ASCII', { to: ['a@b'], subject: 'S', text: 'x = y' }],
    ['base64', { to: ['a@b'], subject: 'Größe', text: 'für' }],
    [
      'quoted-printable',
      { to: ['a@b'], subject: 'S', text: `für = ${'ü '.repeat(60)}x`, encoding: 'quoted-printable' },
    ],
    ['Latin-1', { to: ['a@b'], subject: 'S', text: 'für', encoding: '8bit', charset: 'iso-8859-1' }],
    ['two alternatives', { to: ['a@b'], subject: 'S', text: 'für', html: '<p>für</p>' }],
    ['a picture', { to: ['a@b'], subject: 'S', text: 'für', picture: Buffer.alloc(300, 7) }],
  ]
  test.each(mails)('%s', async (_what, mail) => {
    const read = await PostalMime.parse(Buffer.from(written(mail, '<1@x>'), 'latin1'))
    expect(read.subject).toBe(mail.subject)
    expect(read.text?.trim()).toBe(mail.text)
    expect(read.messageId).toBe('<1@x>')
  })
})
