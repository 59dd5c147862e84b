import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { storeFiles } from '../../core/store/files.ts'
import { Notes } from '../../core/store/unrecorded.ts'
import { Hospital } from '../simulation/hospital.ts'

/** What is due, held and known survives; what was in flight may have had an effect. */

let hospital: Hospital
let dir: string
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'duress-restart-'))
  hospital = await Hospital.open(undefined, { dir })
})
afterEach(async () => {
  await hospital.close()
  rmSync(dir, { recursive: true, maxRetries: 20, retryDelay: 50 })
})

const about = (page: { args: { message: { about: string } } }) => page.args.message.about

it('an escalation goes at its time after a restart', async () => {
  await hospital.press('triage-2-button')
  await hospital.advance(10_000)
  await hospital.restart()
  await hospital.advance(19_000)
  expect(hospital.pages('p2')).toEqual([])
  await hospital.advance(1_200)
  expect(hospital.pages('p2').map(about)).toEqual(['escalation'])
  expect(hospital.pages('p1')).toHaveLength(1)
})

it('an acknowledgement before the restart still holds after it', async () => {
  const { incident } = await hospital.press('triage-2-button')
  await hospital.does(incident as string, 'acknowledged')
  await hospital.restart()
  await hospital.advance(60_000)
  expect(hospital.pages('p2')).toEqual([])
})

it('what was in flight when the incident was resolved is not sent again after the restart', async () => {
  const { incident } = await hospital.press('triage-2-button')
  hospital.world.behaves('p2', 'hangs')
  await hospital.advance(31_000)
  expect(hospital.pages('p2')).toHaveLength(1)
  hospital.world.behaves('p2', 'well')
  await hospital.resolve(incident as string)
  await hospital.restart()
  await hospital.advance(10_000)
  expect(hospital.pages('p2').map(about)).toEqual(['escalation', 'stand-down'])
  expect([...hospital.machine.book.pages()]).toEqual([])
})

it('an incident of more commands than a page of the store is taken up whole: nobody hears twice that it is over', async () => {
  const { incident } = await hospital.press('lobby-button')
  for (let round = 0; commandsIn(dir) <= 1_000; round++) {
    await hospital.does(incident as string, 'acknowledged')
    await hospital.advance(5_000)
    await hospital.press('lobby-button', { from: `round ${round}` })
    await hospital.advance(5_000)
  }
  hospital.world.behaves('p2', 'hangs')
  await hospital.resolve(incident as string)
  await hospital.advance(1_000)
  const over = hospital.pages().filter((page) => about(page) === 'stand-down')
  hospital.world.behaves('p2', 'well')
  await hospital.restart()
  await hospital.advance(10_000)
  const again = hospital.pages().filter((page) => about(page) === 'stand-down' && !over.includes(page))
  expect(over.map(({ target }) => target).sort()).toEqual(['p1', 'p2'])
  expect(again.map(({ target, args }) => [target, args.message.possibleRepeat])).toEqual([['p2', true]])
})

it('what was noted while the disk was slow, and is on record all the same, is not done again', async () => {
  const { incident } = await hospital.press('triage-2-button')
  await hospital.resolve(incident as string)
  await hospital.advance(1_000)
  const [row] = (await hospital.machine.store.incidents({}, null)).rows
  const commands = (await hospital.machine.store.commandsOf(incident as string, null)).rows
  await hospital.settled(hospital.machine.stop())
  const notes = new Notes(dir)
  await notes.open({ adopted: 0, floor: 0 })
  await notes.makeRoom()
  const trail = { incident: null, entries: [] }
  notes.note({ at: hospital.clock.now(), waits: true, incidents: [row!], commands, trail })
  await notes.close()
  await hospital.boot()
  await hospital.advance(10_000)
  expect(hospital.pages('p1').map(about)).toEqual(['press', 'stand-down'])
})

it('a press is known again by its key', async () => {
  const first = await hospital.press('triage-2-button', { key: 'same' })
  await hospital.restart()
  const again = await hospital.press('triage-2-button', { key: 'same' })
  expect(again).toEqual({ ...first, duplicate: true })
})

it('a page in flight at the stop is sent again under its id, and marked', async () => {
  hospital.world.behaves('p1', 'hangs')
  await hospital.press('triage-2-button')
  await hospital.advance(1_000)
  await hospital.restart()
  hospital.world.behaves('p1', 'well')
  await hospital.advance(5_000)
  const pages = hospital.pages('p1')
  expect(pages.map(({ args }) => args.message.possibleRepeat)).toEqual([undefined, true])
  expect(new Set(pages.map(({ command }) => command)).size).toBe(1)
})

it('targets share one message on disk, and each has it whole after a restart', async () => {
  hospital.world.behaves('p2', 'hangs')
  await hospital.press('lobby-button')
  await hospital.advance(1_000)
  await hospital.restart()
  hospital.world.behaves('p2', 'well')
  await hospital.advance(2_000)
  const [first, again] = hospital.pages('p2')
  expect(again?.args.message).toEqual({ ...first?.args.message, possibleRepeat: true })
})

const commandsIn = (data: string): number => {
  const db = new DatabaseSync(storeFiles(data).at(-1)!, { readOnly: true })
  const [row] = db.prepare('SELECT count(*) AS n FROM command').all()
  db.close()
  return Number(row?.['n'])
}

/** The page to p1 is done and carries the message of the one to p2, which does not get through; then the file is damaged. */
const damagedAfterAPress = async (sql: string) => {
  hospital.world.behaves('p2', 'hangs')
  await hospital.press('lobby-button')
  await hospital.advance(1_000)
  expect(hospital.receipt('page.send', 'security')).toMatchObject({ end: 'done' })
  await hospital.settled(hospital.machine.stop())
  const db = new DatabaseSync(storeFiles(dir).at(-1)!)
  db.exec(sql)
  db.close()
  hospital.world.behaves('p2', 'well')
  await hospital.boot()
  await hospital.advance(2_000)
  expect(storeFiles(dir)).toHaveLength(2)
}
const spoilCarrier = "UPDATE command SET body = '{' WHERE receipt IS NOT NULL"

it('over a damaged file each target still has its message', async () => {
  await damagedAfterAPress('DROP TABLE register')
  const [first, again] = hospital.pages('p2')
  expect(again?.args.message).toEqual({ ...first?.args.message, possibleRepeat: true })
})

it('a message that a damaged file no longer gives is composed anew', async () => {
  await damagedAfterAPress(spoilCarrier)
  const [first, again] = hospital.pages('p2')
  expect(again?.args.message).toEqual({ ...first?.args.message, possibleRepeat: true })
})

it('a page whose message is lost with its incident is never sent empty: its receipt says so', async () => {
  await damagedAfterAPress(`${spoilCarrier}; UPDATE incident SET body = '{'`)
  expect(hospital.pages('p2')).toHaveLength(1)
  expect(hospital.receipt('page.send', 'supervisor')).toMatchObject({
    end: 'failed',
    why: expect.stringContaining('its message can not be read'),
    effect: 'possible',
  })
})

it('three starts that ended in a crash are enough', async () => {
  hospital.world.behaves('p1', 'hangs')
  await hospital.press('triage-2-button')
  for (let life = 0; life < 3; life++) {
    await hospital.advance(1_000)
    await hospital.restart()
  }
  await hospital.advance(1_000)
  expect(hospital.receipt('page.send', 'security')).toMatchObject({ end: 'failed', effect: 'possible' })
  expect(hospital.receipt('page.send', 'security')?.why).toMatch(/CRASHED/)
})

it('a held door stays held, and is released in time', async () => {
  await hospital.press('lobby-button')
  await hospital.advance(1_000)
  await hospital.restart()
  expect(hospital.machine.doors.view('door-lobby').holds).toHaveLength(1)
  await hospital.advance(880_000)
  expect(hospital.world.doors.get('door-lobby')).toBe('lockdown')
  await hospital.advance(22_000)
  expect(hospital.world.doors.get('door-lobby')).toBe('locked')
})

it('a lock that was in flight is confirmed by reading the door, not by locking it again', async () => {
  hospital.world.behaves('door-lobby', 'hangs')
  await hospital.press('lobby-button')
  await hospital.advance(1_000)
  await hospital.restart()
  hospital.world.behaves('door-lobby', 'well')
  await hospital.advance(2_000)
  expect(hospital.acts('door.lockdown')).toHaveLength(1)
  expect(hospital.receipt('door.lockdown', 'door-lobby')).toMatchObject({ end: 'done', proof: 'confirmed' })
})

it('a release that was on its way goes on', async () => {
  const { incident } = await hospital.press('lobby-button')
  await hospital.advance(1_000)
  hospital.world.behaves('door-lobby', 'refuses')
  await hospital.resolve(incident as string)
  await hospital.advance(3_000)
  await hospital.restart()
  hospital.world.behaves('door-lobby', 'well')
  await hospital.advance(3_000)
  expect(hospital.world.doors.get('door-lobby')).toBe('locked')
})

it('numbers of incidents go on', async () => {
  await hospital.press('triage-2-button')
  await hospital.restart()
  const { incident } = await hospital.press('lobby-button')
  expect(hospital.incident(incident).number).toBe(2)
})

it('while the bridge was away, a step fell due: it goes at once', async () => {
  await hospital.press('triage-2-button')
  await hospital.advance(5_000)
  const stopped = hospital.machine.stop()
  await hospital.settled(stopped)
  await hospital.advance(120_000)
  await hospital.boot()
  await hospital.advance(1_000)
  expect(hospital.pages('p2').map(about)).toEqual(['escalation'])
})
