import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Reopened } from './fixtures/reopened.ts'

/** A camera that says whatever `pulled` has it say: everything else about it is as it should be. */
let server: Server
let base: string
let pulled: (response: ServerResponse, nth: number) => void
let pulls: number
let state: boolean

const soap = (inside: string) =>
  `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>${inside}</e:Body></e:Envelope>`
const answer = (operation: string, inside = '') =>
  soap(`<${operation}Response>${inside}</${operation}Response>`)
const message = (operation: string, on: boolean, at = new Date().toISOString()) =>
  '<NotificationMessage><Topic>tns1:Device/Trigger/DigitalInput</Topic><Message>' +
  `<Message UtcTime="${at}" PropertyOperation="${operation}"><Source><SimpleItem Name="InputToken" Value="DI_0"/>` +
  `</Source><Data><SimpleItem Name="LogicalState" Value="${on}"/></Data></Message></Message></NotificationMessage>`

const usual = (operation: string): string => {
  const xaddr = (namespace: string) =>
    `<Service><Namespace>http://www.onvif.org/ver10/${namespace}/wsdl</Namespace><XAddr>${base}/${namespace}</XAddr></Service>`
  if (operation === 'GetServices') return xaddr('events')
  if (operation === 'CreatePullPointSubscription')
    return `<SubscriptionReference><Address>${base}/pull</Address></SubscriptionReference>`
  return ''
}

const quiet = (response: ServerResponse) =>
  response.end(answer('PullMessages', message('Initialized', state)))

beforeEach(async () => {
  pulls = 0
  state = false
  pulled = quiet
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const operation = /<s:Body><(\w+)/.exec(body)?.[1] ?? ''
    response.setHeader('content-type', 'application/soap+xml')
    if (operation === 'PullMessages') return pulled(response, pulls++)
    response.end(answer(operation, usual(operation)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const listener = () =>
  new Reopened({
    url: `${base}/onvif/device_service`,
    inputs: { button: { digital: 'DI_0' }, keypad: { 'access-point': 'IN' }, door: { door: 'A' } },
    config: { timeout: '300ms', poll: '1s' },
  })

const listen = async () => {
  const heard = listener()
  await heard.start()
  return heard
}

const piece = fc.oneof(
  fc.constantFrom(
    '<Topic>',
    '</Topic>',
    'tns1:Device/Trigger/DigitalInput',
    'tns1:AccessControl/Duress',
    'tns1:Door/State/DoorAlarm',
    '<Message>',
    '</Message>',
    '<Message UtcTime="x" PropertyOperation="Changed">',
    '<Source/>',
    '<Data><SimpleItem Name="State" Value="true"/></Data>',
    '<SimpleItem Name="__proto__" Value="constructor"/>',
    '<NotificationMessage/>',
    '<CurrentTime>never</CurrentTime>',
  ),
  fc.string({ maxLength: 20 }),
)
const anything = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map((pieces) => answer('PullMessages', pieces.join(''))),
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  fc.constantFrom('', soap(''), soap('<e:Fault/>'), answer('PullMessages', message('Deleted', true))),
)

test('row 22: nothing that a camera says is thrown where nobody catches it, and the next press is seen', async () => {
  // An error that nobody catches ends this test; a rejected `lost`, or a link that is never back, would too.
  const said = fc.sample(anything, 200)
  pulled = (response, nth) => {
    const text = said[nth]
    if (text === undefined) return quiet(response)
    // Some of it breaks off.
    if (nth % 17 === 0) return void response.socket?.destroy()
    response.statusCode = nth % 5 === 0 ? 500 : 200
    response.end(text)
  }
  const heard = listener()
  for (let opened = false; !opened; )
    opened = await heard.start().then(
      () => true,
      () => false,
    )
  await expect.poll(() => pulls, { timeout: 25_000 }).toBeGreaterThan(said.length + 2)
  await expect.poll(() => heard.state('button').quality, { timeout: 5_000 }).toBe('good')
  const before = heard.presses().length
  state = true
  await expect.poll(() => heard.presses().length, { timeout: 5_000 }).toBe(before + 1)
  await heard.stop()
}, 40_000)

test('a camera that talks without end is heard at a pace that leaves room for others', async () => {
  const heard = await listen()
  const flood = Array.from({ length: 300 }, (_, n) => message('Changed', n % 2 === 0)).join('')
  const startedAt = Date.now()
  const first = pulls
  pulled = (response) => response.end(answer('PullMessages', flood))
  await expect.poll(() => pulls - first, { timeout: 10_000 }).toBeGreaterThan(50)
  expect(Date.now() - startedAt).toBeGreaterThanOrEqual(50 * 19)
  await heard.stop()
}, 15_000)

test('a press seen in an answer that has other things wrong with it is a press', async () => {
  const heard = await listen()
  const bad = '<NotificationMessage><Topic/><Message>x</Message></NotificationMessage><NotificationMessage/>'
  pulled = (response) => {
    pulled = quiet
    state = true
    response.end(answer('PullMessages', bad + message('Changed', true) + bad))
  }
  await expect.poll(() => heard.told).toEqual(['button active'])
  await heard.stop()
})
