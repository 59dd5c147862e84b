import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type OnvifCamera, startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { testContext } from '../../test/context.ts'
import { account, dial, order, secret } from './fixtures/dial.ts'

const presets = { '1': 'Entrance', '2': 'Triage 2' }
const kept: { bytes: Uint8Array; mediaType: string }[] = []
const keep = async (bytes: Uint8Array, { mediaType }: { mediaType: string }) => {
  kept.push({ bytes, mediaType })
  return createHash('sha256').update(bytes).digest('hex')
}

let mock: OnvifCamera
let link: Awaited<ReturnType<typeof dial>>

const connect = async (
  options: Partial<Parameters<typeof startOnvifCamera>[0]> = {},
  output: object = {},
) => {
  mock = await startOnvifCamera({ ...account, presets, ...options })
  link = await dial(testContext({ secret, keep }).ctx, mock.url, { cam: output }, { timeout: '2s' })
}

beforeEach(() => void kept.splice(0))

afterEach(async () => {
  await link.close()
  mock.journal.verify()
  await mock.close()
})

test('a camera turns to a preset, given by token or by name', async () => {
  await connect()
  expect(await link.acts['camera.preset'](order({}, { preset: '1' }))).toMatchObject({
    ok: true,
    proof: 'answered',
  })
  expect(mock.preset).toBe('1')
  expect(await link.acts['camera.preset'](order({}, { preset: 'Triage 2' }))).toMatchObject({ ok: true })
  expect(mock.preset).toBe('2')
  await mock.journal.expect('GotoPreset')
  await mock.journal.expect('GotoPreset')
})

test('a preset that does not exist is not tried, and what exists is named', async () => {
  await connect()
  expect(await link.acts['camera.preset'](order({}, { preset: '9' }))).toMatchObject({
    ok: false,
    effect: 'none',
    failure: { code: 'NOT_FOUND', retry: 'never', message: expect.stringContaining('2 (Triage 2)') },
  })
})

test('a camera without PTZ opens, takes pictures, and says that it cannot turn', async () => {
  await connect({ ptz: false })
  expect(await link.acts['camera.preset'](order({}, { preset: '1' }))).toMatchObject({
    ok: false,
    failure: { code: 'UNSUPPORTED', retry: 'never' },
  })
  expect(await link.acts['camera.snapshot'](order({}, {}))).toMatchObject({ ok: true })
  await mock.journal.expect('snapshot')
})

test('a profile that does not exist is found', async () => {
  await connect({}, { profile: 'NOWHERE' })
  expect(await link.acts['camera.preset'](order({ profile: 'NOWHERE' }, { preset: '1' }))).toMatchObject({
    ok: false,
    effect: 'none',
    failure: { code: 'NOT_FOUND', retry: 'never' },
  })
  const probed = link.probe?.({ profile: 'NOWHERE' }, new AbortController().signal)
  await expect(probed).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test.each([['digest'], ['basic']] as const)(
  'a picture is fetched with %s, and not kept unless configured',
  async (auth) => {
    await connect({ snapshotAuth: [auth] })
    const outcome = await link.acts['camera.snapshot'](order({}, {}))
    expect(outcome).toMatchObject({
      ok: true,
      proof: 'answered',
      result: { mediaType: 'image/jpeg', bytes: expect.any(Number) },
    })
    await mock.journal.expect('snapshot')
    expect(outcome.ok && outcome.result).not.toHaveProperty('evidence')
    expect(kept).toEqual([])
  },
)

test('a picture is kept where the output says so', async () => {
  await connect()
  const outcome = await link.acts['camera.snapshot'](order({ keep: true }, {}))
  expect(outcome).toMatchObject({ ok: true, result: { evidence: expect.stringMatching(/^[0-9a-f]{64}$/) } })
  await mock.journal.expect('snapshot')
  expect(kept).toHaveLength(1)
  expect([...(kept[0]?.bytes.subarray(0, 2) ?? [])]).toEqual([0xff, 0xd8])
})

test('a camera behind NAT names a host that we cannot reach: the one that we dialled is used', async () => {
  await connect({ xaddrHost: '192.0.2.1' })
  expect(await link.acts['camera.preset'](order({}, { preset: '2' }))).toMatchObject({ ok: true })
  expect(await link.acts['camera.snapshot'](order({}, {}))).toMatchObject({ ok: true })
  await mock.journal.expect('snapshot')
  await mock.journal.expect('GotoPreset')
})

test('a camera that demands HTTP digest is answered with it', async () => {
  await connect({ auth: ['digest'] })
  expect(await link.acts['camera.preset'](order({}, { preset: '2' }))).toMatchObject({ ok: true })
  await mock.journal.expect('GotoPreset')
  expect(mock.journal.count('not-authorized')).toBe(0)
})

test('a relay is set, and proven by its own event', async () => {
  await connect({}, { relay: 'RO_0' })
  for (const on of [true, true, false])
    expect(await link.acts['relay.set'](order({ relay: 'RO_0' }, { on }))).toEqual({
      ok: true,
      proof: 'confirmed',
      result: { on },
    })
  expect(mock.relay('RO_0')).toBe(false)
  for (let times = 0; times < 3; times++) await mock.journal.expect('SetRelayOutputState')
  await expect.poll(() => mock.subscriptions).toBe(0)
})

test('a relay whose device is known to have no events has its answer only', async () => {
  await connect({}, { relay: 'RO_0' })
  const outcome = await link.acts['relay.set'](order({ relay: 'RO_0', confirm: 'answer' }, { on: true }))
  expect(outcome).toMatchObject({ ok: true, proof: 'answered' })
  expect(mock.journal.count('CreatePullPointSubscription')).toBe(0)
  await mock.journal.expect('SetRelayOutputState')
})

test('a relay that does not exist is not tried', async () => {
  await connect({}, { relay: 'RO_0' })
  expect(await link.acts['relay.set'](order({ relay: 'RO_7' }, { on: true }))).toMatchObject({
    ok: false,
    effect: 'none',
    failure: { code: 'NOT_FOUND', retry: 'never', message: expect.stringContaining('RO_0') },
  })
})

test('a probe lists presets and turns nothing', async () => {
  await connect()
  expect(await link.probe?.({}, new AbortController().signal)).toMatchObject({
    manufacturer: 'Duress Bridge',
    firmware: expect.any(String),
    camera: {
      turns: true,
      presets: [{ token: '1', name: 'Entrance' }, { token: '2' }],
      pictures: true,
    },
  })
  expect(mock.preset).toBeNull()
  expect(kept).toEqual([])
})
