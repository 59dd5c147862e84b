import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Hospital, hospital } from '../fixtures/hospital.ts'

/** The page on which a tester taps rooms, in a real browser. */

let browser: Browser
let at: Hospital
let page: Page

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    // As root there is no sandbox; the rest keeps it from talking to anybody but us.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-sync',
    ],
  })
})
afterAll(() => browser.close())

beforeEach(async () => {
  at = await hospital({ token: 'walk-token' })
  page = await browser.newPage({ viewport: { width: 390, height: 800 } })
  page.setDefaultTimeout(10_000)
  await page.goto(`${at.api.url}/walk`)
})
afterEach(async () => {
  await page.close()
  await at.close()
})

const begin = async (device: string, unit: string, token = 'walk-token'): Promise<void> => {
  await page.getByLabel('Badge').fill(device)
  await page.getByLabel('Unit').fill(unit)
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Begin' }).click()
}

const reported = (place: string): void =>
  at.script.ctx!.note('badge-7', {
    sighting: { place, precision: 'room', from: 'badge', at: at.machine.clock.now() },
  })

test('a tester taps each room, and the score says which was wrong', async () => {
  await begin('badge-7', 'north/ed')
  await page.getByRole('button', { name: 'triage' }).click()
  await page.getByText('You are in: triage').waitFor()
  reported('north/ed/triage')
  await page.getByRole('button', { name: 'desk' }).click()
  await page.getByText('You are in: desk').waitFor()
  reported('north/ed/triage')
  await page.getByRole('button', { name: 'End' }).click()
  await page.getByText('Ended.').waitFor()
  const score = await page.locator('#score').textContent()
  expect(score).toContain('1 of 2 rooms right')
  expect(score).toContain('north/ed/desk: reported north/ed/triage')
  expect(at.machine.locationWalks.ended()).toHaveLength(1)
})

test('what goes wrong stands on the page in words', async () => {
  await begin('badge-99', 'north/ed')
  await page.getByText('there is no device `badge-99`').waitFor()
  await begin('badge-7', 'north/attic')
  await page.getByText('there is no place `north/attic`').waitFor()
  await begin('badge-7', 'north/ed', 'wrong')
  await page.getByText('this is not the token').waitFor()
  expect(at.machine.locationWalks.ended()).toEqual([])
})
