import { afterEach, expect, test } from 'vitest'
import { cleanUp, newDir, start } from './fixtures/program.ts'
import { siteText, writeSite } from './fixtures/site.ts'

afterEach(cleanUp)

const phones = `
  phone-1: { connector: phones, input: { id: "1" }, token: { env: PHONE_1 } }
  phone-2: { connector: phones, input: { id: "2" }, token: { env: PHONE_2 } }
  phone-3: { connector: phones, input: { id: "3" }, token: { env: PHONE_3 } }
  phone-4: { connector: phones, input: { id: "4" }, token: { env: PHONE_4 } }
responders:`

test('a token that is missing, has a blank, or is that of another phone is a fault of its phone, and of no other', async () => {
  const data = newDir()
  const site = siteText()
    .replace('\nresponders:', phones)
    .replace('\ndevices:', '\n  phones: { type: mobile }\ndevices:')
  const env = { PHONE_1: 'first-secret', PHONE_2: 'second secret', PHONE_3: 'first-secret' }
  const program = start(['run', '--config', writeSite(data, site), '--data', data], env)
  const [, url] = await program.says(/^ready: Test site at (http:\S+), data in /m)
  const press = async (token: string) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
    const response = await fetch(`${url}/v1/presses`, { method: 'POST', headers, body: '{}' })
    expect(response.status).toBe(201)
  }
  await press('first-secret')
  const { incidents } = (await (await fetch(`${url}/v1/incidents`)).json()) as any
  expect(incidents).toMatchObject([{ devices: ['phone-1'] }])

  const text = await (await fetch(`${url}/v1/faults`)).text()
  const { faults } = JSON.parse(text)
  const ofTokens = faults.filter(({ id }: { id: string }) => id.startsWith('no-token:'))
  expect(new Map(ofTokens.map(({ id, what }: { id: string; what: string }) => [id, what]))).toEqual(
    new Map([
      ['no-token:phone-2', expect.stringContaining('has a blank in it')],
      ['no-token:phone-3', expect.stringContaining('the same token as phone-1')],
      ['no-token:phone-4', expect.stringContaining('PHONE_4 is not set')],
    ]),
  )
  expect(text).not.toMatch(/first-secret|second secret/)
})
