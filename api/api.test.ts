import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type Hospital, hospital, quiet, until } from './fixtures/hospital.ts'

let at: Hospital
afterEach(() => at.close())

const pressed = async (body: object = { device: 'button' }) => (await at.ask('/v1/presses', body)).body
const one = async (id: string) => (await at.ask(`/v1/incidents/${id}`)).body
const change = (id: string, path: string, body: object = {}) => at.ask(`/v1/incidents/${id}/${path}`, body)

test('a press is answered with its event and incident, and the incident shows commands, receipts and a timeline from the press on', async () => {
  at = await hospital()
  await until(() => at.machine.runner.isUp('wire'), Boolean)
  const { status, body } = await at.ask('/v1/presses', { device: 'button', key: 'a' })
  expect(status).toBe(201)
  expect(body).toEqual({ id: expect.any(String), incident: expect.any(String), duplicate: false })
  const seen = await until(
    () => one(body.incident),
    ({ commands }) => commands.length === 2 && commands.every((command: any) => command.receipt),
  )
  expect(seen.incident).toMatchObject({ number: 1, kind: 'duress', location: { place: 'north/ed/triage' } })
  expect(
    seen.commands.map((command: any) => [command.capability, command.target, command.receipt.end]),
  ).toEqual([
    ['page.send', 'security', 'done'],
    ['door.highlight', 'door-ed', 'done'],
  ])
  expect(seen.where).toBe('triage, ed')
  expect(JSON.stringify(seen.commands)).not.toContain('address')
  expect(seen.timeline[0]).toMatchObject({ what: 'press', words: 'Triage button' })
  for (const { ms, at: when } of seen.timeline) expect(ms).toBe(when - seen.incident.openedAt)
  const whats = seen.timeline.map(({ what }: any) => what)
  expect(whats.filter((what: string) => what === 'receipt')).toHaveLength(2)
  expect(whats).toContain('opened')
  const times = seen.timeline.map(({ ms }: any) => ms)
  expect(times).toEqual([...times].sort((a, b) => a - b))
})

test('a press sent twice with one key is one press, by body or by header', async () => {
  at = await hospital()
  const first = await pressed({ device: 'button', key: 'k1' })
  const again = await at.ask('/v1/presses', { device: 'button' }, { 'idempotency-key': 'k1' })
  expect(again.status).toBe(201)
  expect(again.body).toEqual({ ...first, duplicate: true })
  expect((await at.ask('/v1/incidents')).body.incidents).toHaveLength(1)
})

test('without a key every press counts', async () => {
  at = await hospital()
  const a = await pressed()
  const b = await pressed()
  expect(b.id).not.toBe(a.id)
  expect((await one(a.incident)).incident.presses).toBe(2)
})

test.each([
  ['a device that nobody configured', { device: 'nobody-knows' }, 'nobody-knows'],
  ['a device that is no press input', { device: 'door-ed' }, 'door-ed'],
  ['a fire panel, whose state no API sets', { device: 'fire-panel' }, 'fire-panel'],
  ['a source in words', { from: 'badge 0117, near gateway ED-4' }, 'badge 0117, near gateway ED-4'],
  ['nothing at all', {}, 'local'],
])('a press by %s summons help all the same', async (_what, body, words) => {
  at = await hospital()
  const { incident } = await pressed(body)
  const seen = await one(incident)
  expect(seen.incident.devices).toEqual([])
  expect(seen.incident.unknown[0]).toContain(words)
  expect(seen.commands.map((command: any) => command.capability)).toContain('page.send')
  expect((await at.ask('/v1/faults')).body.faults.map(({ id }: any) => id)).toContainEqual(
    expect.stringContaining('unknown-source'),
  )
  expect(at.machine.memory.state('fire-panel')?.active).not.toBe(true)
})

test('kind, pattern, drill, person and time of a press arrive', async () => {
  at = await hospital()
  const byPattern = await pressed({
    device: 'desk-button',
    pattern: 'double',
    drill: true,
    person: 'p1',
    at: 1_700_000_000_000,
  })
  expect((await one(byPattern.incident)).incident).toMatchObject({
    kind: 'weapon',
    drill: true,
    persons: ['p1'],
  })
  const byKind = await pressed({ device: 'button', kind: 'medical' })
  expect((await one(byKind.incident)).incident.kind).toBe('medical')
})

test('what people do is in effect, on the trail and with their name; the caller stands in where none is given', async () => {
  at = await hospital()
  const { incident: id } = await pressed()
  expect((await change(id, 'acknowledge', { by: 'sgt. miller' })).body.incident.acknowledged.by).toBe(
    'sgt. miller',
  )
  expect((await change(id, 'on-the-way')).body.incident.onTheWay.by).toBe('local')
  expect((await change(id, 'on-scene')).body.incident.onScene.by).toBe('local')
  expect((await change(id, 'decline', { by: 'x' })).body.incident.declines).toHaveLength(1)
  const resolved = await change(id, 'resolve', { as: 'false-alarm', note: 'a coat on the button' })
  expect(resolved).toMatchObject({
    status: 200,
    body: { incident: { resolved: { as: 'false-alarm', by: 'local', note: 'a coat on the button' } } },
  })
  const { timeline } = await one(id)
  expect(timeline.filter(({ what }: any) => what === 'change').map(({ is }: any) => is)).toEqual([
    'acknowledged',
    'on-the-way',
    'on-scene',
    'declined',
    'resolved: false-alarm',
  ])
})

test('acknowledging twice is fine and keeps the first', async () => {
  at = await hospital()
  const { incident: id } = await pressed()
  await change(id, 'acknowledge', { by: 'first' })
  const again = await change(id, 'acknowledge', { by: 'second' })
  expect(again).toMatchObject({ status: 200, body: { incident: { acknowledged: { by: 'first' } } } })
})

test('what is resolved can not be changed, and what is not there is not found', async () => {
  at = await hospital()
  const { incident: id } = await pressed()
  await change(id, 'resolve', { as: 'test' })
  expect(await change(id, 'acknowledge')).toMatchObject({
    status: 409,
    body: { error: { code: 'CONFLICT' } },
  })
  expect(await change('nope', 'acknowledge')).toMatchObject({
    status: 404,
    body: { error: { code: 'UNKNOWN_INCIDENT' } },
  })
  expect(await at.ask('/v1/incidents/nope')).toMatchObject({
    status: 404,
    body: { error: { code: 'UNKNOWN_INCIDENT' } },
  })
})

test('incidents come newest first, page by page, open or resolved', async () => {
  at = await hospital()
  const ids: string[] = []
  for (let n = 0; n < 5; n++) ids.push((await pressed({ from: `source ${n}`, kind: 'assist' })).incident)
  await change(ids[1]!, 'resolve', { as: 'real' })
  const numbers = (body: any) => body.incidents.map(({ number }: any) => number)
  const first = (await at.ask('/v1/incidents?limit=2')).body
  expect(numbers(first)).toEqual([5, 4])
  const second = (await at.ask(`/v1/incidents?limit=2&cursor=${first.next}`)).body
  expect(numbers(second)).toEqual([3, 2])
  const third = (await at.ask(`/v1/incidents?limit=2&cursor=${second.next}`)).body
  expect([numbers(third), third.next]).toEqual([[1], null])
  expect(numbers((await at.ask('/v1/incidents?open=true')).body)).toEqual([5, 4, 3, 1])
  expect(numbers((await at.ask('/v1/incidents?open=false')).body)).toEqual([2])
  const open = (await at.ask('/v1/incidents?open=true&limit=3')).body
  expect(numbers((await at.ask(`/v1/incidents?open=true&cursor=${open.next}`)).body)).toEqual([1])
})

test('devices show link, age and battery, and never where a person is', async () => {
  at = await hospital()
  await until(() => at.script.ctx, Boolean)
  at.script.ctx!.note('badge-7', {
    batteryPercent: 11,
    sighting: { place: 'north/ed/desk', precision: 'room', from: 'badge', at: at.machine.clock.now() },
  })
  const { devices } = (await at.ask('/v1/devices')).body
  const badge = devices.find(({ name }: any) => name === 'badge-7')
  expect(badge).toMatchObject({
    up: true,
    batteryPercent: 11,
    place: null,
    faults: [{ id: 'low-battery:badge-7' }],
  })
  expect(badge.ageMs).toBeGreaterThanOrEqual(0)
  expect(JSON.stringify(badge)).not.toMatch(/desk|Ada/)
  expect(devices.find(({ name }: any) => name === 'lonely')).toMatchObject({
    up: false,
    why: 'nobody answers there',
    heardAt: null,
  })
  const { links } = (await at.ask('/v1/links')).body
  expect(links.map(({ name, up }: any) => [name, up]).sort()).toEqual([
    ['away', false],
    ['console', true],
    ['wire', true],
  ])
})

test('doors show what they report, our holds, the fire inputs, and who depends on the bridge', async () => {
  at = await hospital()
  await until(() => at.script.ctx, Boolean)
  const doors = async () =>
    Object.fromEntries((await at.ask('/v1/doors')).body.doors.map((door: any) => [door.name, door]))
  at.script.ctx!.note('fire-panel', { active: false, quality: 'good' })
  expect((await until(doors, (all) => all['door-ed'].reported !== null))['door-ed']).toMatchObject({
    reported: { mode: 'unlocked' },
    lockable: true,
    whyNot: null,
    fire: 'clear',
    fireInputs: [{ name: 'fire-panel', state: 'clear' }],
    dependsOnBridge: false,
  })
  expect((await doors())['door-ward']).toMatchObject({ lockable: false, whyNot: 'its way out is controlled' })
  const { incident } = await pressed({ device: 'button', kind: 'weapon' })
  const held = await until(doors, (all) => all['door-ed'].holds[0]?.confirmed === true)
  expect(held['door-ed']).toMatchObject({
    dependsOnBridge: true,
    reported: { mode: 'lockdown' },
    holds: [{ mode: 'lockdown', incident }],
  })
  expect((await one(incident)).holds).toMatchObject([{ door: 'door-ed', ended: null }])
  await change(incident, 'release')
  await until(doors, (all) => !all['door-ed'].dependsOnBridge && all['door-ed'].reported.mode === 'unlocked')
  expect((await one(incident)).holds).toMatchObject([{ ended: { why: 'released by local' } }])
  at.script.ctx!.note('fire-panel', { active: true, quality: 'good' })
  expect((await doors())['door-ed'].fire).toBe('active')
})

test('a door is highlighted as long as its incident is open', async () => {
  at = await hospital()
  const { incident } = await pressed()
  const highlighted = async () =>
    (await at.ask('/v1/doors')).body.doors.find(({ name }: any) => name === 'door-ed').highlightedBy
  await until(highlighted, (by) => by.includes(incident))
  await change(incident, 'resolve', { as: 'test' })
  expect(await highlighted()).toEqual([])
})

test('of a flood of faults the newest are shown, with their number', async () => {
  at = await hospital()
  for (let n = 0; n < 600; n++) at.machine.faults.set(`f:${n}`, `fault ${n}`)
  const { faults, total } = (await at.ask('/v1/faults')).body
  expect(total).toBeGreaterThanOrEqual(600)
  expect(faults).toHaveLength(500)
  expect(faults.map(({ what }: any) => what)).toContain('fault 599')
})

test('a restart keeps what is highlighted, and ids of the stream go on', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'duress-api-'))
  try {
    at = await hospital({ dir })
    const { incident } = await pressed()
    await quiet(at)
    const { seq } = at.machine.store.health().trailHead
    await at.close()
    at = await hospital({ dir })
    const door = async () =>
      (await at.ask('/v1/doors')).body.doors.find(({ name }: any) => name === 'door-ed')
    await until(door, ({ highlightedBy }) => highlightedBy.includes(incident))
    expect(at.machine.store.health().trailHead.seq).toBeGreaterThanOrEqual(seq)
  } finally {
    await at.close()
    rmSync(dir, { recursive: true })
  }
})

test('a probe says what the target says', async () => {
  at = await hospital()
  await until(() => at.machine.runner.isUp('wire'), Boolean)
  expect((await at.ask('/v1/probe', { target: 'door-ed' })).body).toMatchObject({
    ok: true,
    link: 'wire',
    result: { asked: { n: 100 } },
  })
  expect((await at.ask('/v1/probe', { target: 'security' })).body).toMatchObject({
    ok: true,
    result: { asked: { n: 1 } },
  })
  at.script.probeFails = true
  expect(await at.ask('/v1/probe', { target: 'wire' })).toMatchObject({
    status: 200,
    body: { ok: false, error: { code: 'UNAUTHORIZED', message: 'wrong password' } },
  })
  expect((await at.ask('/v1/probe', { target: 'lonely' })).body).toMatchObject({
    ok: false,
    error: { code: 'LINK_DOWN' },
  })
  expect(await at.ask('/v1/probe', { target: 'nothing' })).toMatchObject({
    status: 404,
    body: { error: { code: 'UNKNOWN_DEVICE' } },
  })
})

test('a dead link leaves the bridge ready', async () => {
  at = await hospital()
  await until(() => at.machine.runner.isUp('wire'), Boolean)
  expect(await at.ask('/readyz')).toMatchObject({
    status: 200,
    body: { ready: true, recording: true, links: { up: 2, down: 1 } },
  })
  expect(await at.ask('/healthz')).toMatchObject({ status: 200, body: { alive: true } })
})

test('metrics tell times, links, commands and whether it records', async () => {
  at = await hospital()
  await until(() => at.machine.runner.isUp('wire'), Boolean)
  await pressed()
  const text = await until(
    async () => (await at.ask('/metrics')).body as string,
    (found) => found.includes('duress_press_to_last_seconds_count 1'),
  )
  for (const line of [
    'duress_press_to_first_seconds_count 1',
    'duress_attempts_total{capability="page.send",outcome="ok"} 1',
    'duress_recording 1',
    'duress_link_up{link="wire"} 1',
    'duress_link_up{link="away"} 0',
    'duress_commands_due 0',
    'duress_incidents_open 1',
    'duress_steps_late_seconds 0',
  ])
    expect(text.split('\n')).toContain(line)
  expect(text).toMatch(/duress_link_data_age_seconds\{link="wire"\} [\d.e-]+/)
  expect(text).toMatch(/duress_event_loop_delay_p99_seconds [\d.e-]+/)
  expect(text).toMatch(/process_resident_memory_bytes \d{7,}/)
})

test('the documentation has every route, and reading changes nothing', async () => {
  at = await hospital()
  const { paths } = (await at.ask('/v1/openapi.json')).body
  expect(Object.keys(paths).sort()).toEqual([
    '/healthz',
    '/metrics',
    '/readyz',
    '/v1/assignments',
    '/v1/check-ins',
    '/v1/check-ins/{id}/done',
    '/v1/check-ins/{id}/extend',
    '/v1/coverage',
    '/v1/devices',
    '/v1/devices/{name}/assign',
    '/v1/devices/{name}/inspection',
    '/v1/devices/{name}/locate',
    '/v1/devices/{name}/return',
    '/v1/devices/{name}/self-test',
    '/v1/devices/{name}/service',
    '/v1/doors',
    '/v1/faults',
    '/v1/incidents',
    '/v1/incidents/{id}',
    '/v1/incidents/{id}/acknowledge',
    '/v1/incidents/{id}/decline',
    '/v1/incidents/{id}/on-scene',
    '/v1/incidents/{id}/on-the-way',
    '/v1/incidents/{id}/release',
    '/v1/incidents/{id}/resolve',
    '/v1/links',
    '/v1/location-walks',
    '/v1/location-walks/{id}',
    '/v1/location-walks/{id}/end',
    '/v1/location-walks/{id}/tap',
    '/v1/openapi.json',
    '/v1/presses',
    '/v1/probe',
    '/v1/register.csv',
    '/v1/stream',
    '/v1/walk-tests',
    '/v1/walk-tests/{id}',
  ])
  const { incident } = await pressed()
  await quiet(at)
  const before = at.machine.store.health().trailHead.seq
  for (const path of Object.keys(paths))
    if (paths[path].get && path !== '/v1/stream') await at.ask(path.replace('{id}', incident))
  expect(at.machine.store.health().trailHead.seq).toBe(before)
})
