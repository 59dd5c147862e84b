import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Hospital } from '../simulation/hospital.ts'
import { oneOf, randomOf } from '../simulation/random.ts'
import type { Manner } from '../simulation/scripted.ts'
import { Troubles } from '../simulation/troubles.ts'

/**
 * Lives of doors that workers lock and release, while Redis, the ways to it and the workers fail: fires, releases and
 * acknowledges race with orders on their way. Each door with its own fire input lives its own history.
 */
const histories = 2_000
const doors = 80
const fireStaleMs = 10_000
/** What is on its way may still begin: a worker's grace, the measure of its clock, and a look each second. */
const onItsWayMs = 500 + 207
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

it(`${histories} doors at workers: no lock after its release, none in a fire, and every hold ends`, async () => {
  let lived = 0
  for (let seed = Number(process.env['DURESS_SEED'] ?? 1); lived < histories; seed++)
    lived += await building(seed)
}, 600_000)

const each = (line: (n: number) => string) => Array.from({ length: doors }, (_, n) => line(n)).join('\n')

const yaml = `
site: { name: Halls, timezone: UTC }
places:
${each((n) => `  h${n}: { level: zone }`)}
queue:
  redis: redis://bridge@127.0.0.1
  workers: { one: { key: { env: KEY_ONE } }, two: { key: { env: KEY_TWO } } }
connectors:
  wire: { type: scripted }
  pagers: { type: scripted, runs-on: one }
  doors: { type: scripted, runs-on: [one, two] }
devices:
${each((n) => `  b${n}: { connector: wire, input: { id: b${n} }, place: h${n}, kind: weapon }`)}
${each((n) => `  f${n}: { connector: wire, input: { id: f${n} }, place: h${n}, means: fire }`)}
${each((n) => `  d${n}: { connector: doors, output: { id: d${n} }, guards: [h${n}], egress: free }`)}
responders:
  security: { page: { connector: pagers, id: p1, perceptible: none } }
plans:
  all:
    when: {}
    steps: [{ at: 0s, do: [page.send: { to: security }] }]
  weapon:
    when: { kind: weapon }
    steps:
      - { at: 0s, do: [page.send: { to: security }, door.lockdown: { to: guarding, expires: 20s, limit: 1m }] }
      - { at: 20s, unless: acknowledged, do: [page.send: { to: security }] }
`

interface Fire {
  active: boolean
  good: boolean
  readAt: number
  /** Since when the bridge knows that it burns, or that nobody knows. */
  badSince: number | null
  polled: boolean
}

async function building(seed: number): Promise<number> {
  const random = randomOf(seed)
  const dir = mkdtempSync(join(scratch, 'duress-doors-'))
  const hospital = await Hospital.open(yaml, { dir, random, fire: false, workers: ['one', 'two'] })
  const { world, clock, fleet } = hospital
  const troubles = new Troubles(fleet!, random)
  const fires = Array.from(
    { length: doors },
    (): Fire => ({ active: false, good: false, readAt: 0, badSince: 0, polled: true }),
  )
  const wrong: string[] = []
  world.onAct = ({ capability, target }) => {
    // A machine that stood still begins late, by a clock that stood still with it.
    if (capability !== 'door.lockdown' || clock.now() - troubles.stoodAt < 1_000) return
    const fire = fires[Number(target.slice(1))] as Fire
    const isLate =
      (fire.badSince !== null && clock.now() - fire.badSince > onItsWayMs) ||
      clock.now() - fire.readAt > fireStaleMs + onItsWayMs
    if (isLate)
      wrong.push(`seed ${seed}: ${target} was locked at ${clock.now()} with ${JSON.stringify(fire)}`)
  }
  const read = () => {
    for (const [n, fire] of fires.entries()) {
      if (!fire.polled) continue
      fire.readAt = clock.now()
      const isClear = fire.good && !fire.active
      fire.badSince = isClear ? null : (fire.badSince ?? clock.now())
      world.context.note(
        `f${n}`,
        fire.good ? { active: fire.active, quality: 'good' } : { quality: 'unknown' },
      )
    }
  }
  const open = new Map<number, string>()
  try {
    for (let step = 0; step < 60; step++) {
      for (let n = 0; n < doors / 8; n++)
        await happen(hospital, Math.floor(random() * doors), random, fires, open)
      const roll = random()
      if (roll < 0.5) troubles.happen()
      else if (roll < 0.52) await hospital.restart()
      read()
      await hospital.advance(random() * 2_000)
      expect(wrong).toEqual([])
    }
    await end(hospital, seed, open)
  } finally {
    await hospital.close()
    rmSync(dir, { recursive: true, maxRetries: 20, retryDelay: 50 })
  }
  return doors
}

const manners: readonly Manner[] = [
  'well',
  'well',
  'well',
  'refuses',
  'hangs',
  { landsAfterMs: 8_000 },
  { landsAfterMs: 22_000 },
]

async function happen(
  hospital: Hospital,
  n: number,
  random: () => number,
  fires: readonly Fire[],
  open: Map<number, string>,
): Promise<void> {
  const fire = fires[n] as Fire
  const incident = open.get(n)
  const roll = random()
  if (roll < 0.35) {
    // Its wire is the bridge's own, and may be cut: then nobody hears it.
    const pressed = await hospital.press(`b${n}`).catch(() => null)
    if (pressed?.incident) open.set(n, pressed.incident)
  } else if (roll < 0.42) fire.active = !fire.active
  else if (roll < 0.6) fire.good = random() < 0.85
  else if (roll < 0.65) fire.polled = !fire.polled
  else if (roll < 0.75) hospital.world.behaves(`d${n}`, oneOf(random, manners))
  else if (incident && roll < 0.85) await hospital.does(incident, 'acknowledged')
  else if (incident && roll < 0.93) await hospital.does(incident, 'released')
  else if (incident) {
    await hospital.resolve(incident)
    open.delete(n)
  }
}

/** However it went: once all is well again, all holds end and no door stays locked. */
async function end(hospital: Hospital, seed: number, open: Map<number, string>): Promise<void> {
  const { world, machine, fleet } = hospital
  await hospital.advance(17_000)
  for (let n = 0; n < doors; n++) world.behaves(`d${n}`, 'well')
  fleet!.mend()
  for (const incident of open.values()) if (machine.book.page(incident)) await hospital.resolve(incident)
  await hospital.advance(90_000)
  await hospital.drain()
  expect(machine.doors.liveHolds(), `seed ${seed}`).toEqual([])
  for (const [door, mode] of world.doors) expect(mode, `seed ${seed}: ${door}`).not.toBe('lockdown')
  expect(fleet!.starts.some(({ by, capability }) => by !== 'bridge' && capability === 'door.lockdown')).toBe(
    true,
  )
}
