import { expect } from 'vitest'
import { passed, until } from './program.ts'
import { escalatesMs, type Pressed, soonMs, type WorkerSite } from './worker-site.ts'

/** What happens to Redis, or to the wires to it, and how it ends. */
export interface Harm {
  harm(site: WorkerSite): Promise<unknown> | unknown
  heal(site: WorkerSite): Promise<unknown> | unknown
  /** What the bridge says meanwhile of Redis or of a worker. */
  says: RegExp
}

/** Long enough for an escalation to fall due, and for what waits in Redis to be late beyond doubt, ms. */
const harmMs = escalatesMs + 1_500
/** Workers are used again so soon after Redis is well, and the machine busy, ms (goal: 5 s). */
const caughtUpMs = 5_000 + 5_000

/**
 * During the harm everybody is told within the grace, escalations come on time (row 1), and doors are locked once; after it
 * the workers are used again, and nothing that waited in Redis is done any more (rows 2 to 6).
 */
export const outlives = async (site: WorkerSite, { harm, heal, says }: Harm) => {
  await site.fit('edge-1', 'edge-2')
  const room = site.room()
  const over = Date.now() + harmMs
  await harm(site)
  // At once, before anybody can know.
  const weapon = await site.press(room, 'weapon')
  const presses = [weapon, await site.press()]
  await inTime(site, presses)
  await said(site, says)
  // And now that it is known.
  presses.push(await site.press())
  await inTime(site, presses)
  const button = presses[1] as Pressed
  await passed(over)
  await site.paged(button.id, 'supervisor', soonMs + escalatesMs)
  await heal(site)
  const healedAt = Date.now()
  await site.fit('edge-1', 'edge-2')
  expect(Date.now() - healedAt).toBeLessThan(caughtUpMs)
  await until('a worker acts', async () => (await site.paged((await site.press()).id)).by !== 'bridge')
  for (const pressed of presses) site.neverLate(pressed)
  expect(site.pages(button.id, 'supervisor')[0]?.at).toBeGreaterThanOrEqual(button.at + escalatesMs)
  const lock = await site.program.receipt(weapon.id, 'door.lockdown', `door-${room}`)
  expect(lock).toMatchObject({ end: 'done', proof: 'confirmed' })
  expect(site.modes(room)).toEqual(['Unlocked', 'LockedDown'])
}

const inTime = async (site: WorkerSite, presses: readonly Pressed[]) => {
  for (const { id, at } of presses) expect((await site.paged(id)).at - at).toBeLessThan(soonMs)
}

/** What /v1/links says of the workers, or /v1/faults of Redis. */
const said = (site: WorkerSite, words: RegExp) =>
  until(`it says ${words}`, async () => {
    const { body } = await site.program.get('/v1/faults')
    const faults = body.faults.map(({ what }: { what: string }) => what)
    const links = (await site.program.links()).map(({ why }) => why)
    return [...faults, ...links].some((text) => words.test(text ?? ''))
  })
