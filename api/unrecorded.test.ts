import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hold } from '../core/store/fixtures/hold.ts'
import { type Hospital, hospital, listenTo, until } from './fixtures/hospital.ts'

let dir: string
let at: Hospital
let release: () => void
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'duress-api-'))
  at = await hospital({ dir })
  release = () => {}
})
afterEach(async () => {
  await at.close()
  release()
  rmSync(dir, { recursive: true, force: true })
})

/** A disk that takes nothing more: the file is held by a foreign program, and its directory is gone. */
const failDisk = async () => {
  release = hold(join(dir, at.machine.store.health().file!))
  rmSync(dir, { recursive: true, force: true })
}

const mendDisk = () => mkdirSync(dir)

test('while nothing can be written, people are called, nobody gets a false answer, and all screens say so', async () => {
  const { incident: id } = (await at.ask('/v1/presses', { device: 'button' })).body
  await failDisk()
  const pressed = await at.ask('/v1/presses', { device: 'desk-button', kind: 'medical', key: 'm1' })
  const notRecorded = { status: 503, body: { error: { code: 'NOT_RECORDED', inEffect: true } } }
  expect(pressed).toMatchObject(notRecorded)
  expect(await at.ask('/v1/presses', { device: 'desk-button', kind: 'medical', key: 'm1' })).toMatchObject(
    notRecorded,
  )
  expect(await at.ask('/readyz')).toMatchObject({
    status: 503,
    body: { ready: false, recording: false, why: expect.any(String) },
  })
  expect((await at.ask('/healthz')).status).toBe(200)
  expect((await at.ask('/metrics')).body.split('\n')).toContain('duress_recording 0')

  const open = (await at.ask('/v1/incidents?open=true')).body.incidents
  expect(open.map(({ kind }: any) => kind)).toEqual(['medical', 'duress'])
  expect((await at.ask('/v1/incidents')).body.incidents).toHaveLength(2)
  const view = () => at.ask(`/v1/incidents/${open[0].id}`).then(({ body }) => body)
  const seen = await until(view, ({ commands }) =>
    commands.some(({ receipt }: any) => receipt?.end === 'done'),
  )
  expect(seen.timeline.map(({ what }: any) => what)).toEqual(
    expect.arrayContaining(['press', 'opened', 'command', 'receipt']),
  )

  expect(await at.ask(`/v1/incidents/${id}/acknowledge`, {})).toMatchObject(notRecorded)
  expect((await at.ask(`/v1/incidents/${id}`)).body.incident.acknowledged.by).toBe('local')
})

test('what could not be written goes out live without id, and is not told again once it is written', async () => {
  const stays = await listenTo(`${at.api.url}/v1/stream?from=0`)
  await at.ask('/v1/presses', { device: 'button' })
  await until(
    () => stays.heard.length,
    () => stays.heard.some(({ event }) => event === 'press'),
  )
  await failDisk()
  await at.ask('/v1/presses', { device: 'desk-button', kind: 'medical' })
  const isMedical = ({ event, data }: { event: string; data: any }) =>
    event === 'press' && data.kind === 'medical'
  await until(
    () => stays.heard.length,
    () => stays.heard.some(isMedical),
  )
  expect(stays.heard.find(isMedical)!.id).toBeNull()
  const before = stays.lastId()
  await until(
    () => at.machine.dispatch.size,
    (left) => left === 0,
  )

  mendDisk()
  await until(() => at.machine.store.health().recording, Boolean)
  await at.ask('/v1/presses', { device: 'button', kind: 'hazard' })
  const isHazard = ({ event, data }: { event: string; data: any }) =>
    event === 'press' && data.kind === 'hazard'
  await until(
    () => stays.heard.length,
    () => stays.heard.some(isHazard),
  )
  expect(stays.heard.filter(isMedical)).toHaveLength(1)
  expect(stays.heard.filter(isHazard)).toHaveLength(1)

  // Who was not there hears it from the trail, and so does whoever resumes from before.
  const resumed = await listenTo(`${at.api.url}/v1/stream`, { 'last-event-id': before! })
  await until(
    () => resumed.heard.length,
    () => resumed.heard.some(isHazard),
  )
  expect(resumed.heard.filter(isMedical)).toHaveLength(1)
  expect(resumed.heard.find(isMedical)!.id).not.toBeNull()
  expect(await at.ask('/readyz')).toMatchObject({ status: 200, body: { recording: true } })
  await stays.stop()
  await resumed.stop()
})
