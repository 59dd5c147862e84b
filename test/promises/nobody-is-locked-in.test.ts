import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Hospital } from '../simulation/hospital.ts'
import { oneOf, randomOf } from '../simulation/random.ts'
import type { Manner } from '../simulation/scripted.ts'

/**
 * Promise 5. Random lives of doors: weapon presses, fires, fire inputs that fall silent, resolving, releasing, locks that
 * refuse, hang and land late, restarts, clock steps. Each door with its own fire input lives its own sequence.
 */
const sequences = 10_000
const doors = 40
const fireStaleMs = 10_000
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

it(`${sequences} sequences: no lock while fire is active or unknown, and every hold ends`, async () => {
  let lived = 0
  for (let seed = Number(process.env['DURESS_SEED'] ?? 1); lived < sequences; seed++)
    lived += await building(seed)
}, 1_800_000)

const each = (line: (n: number) => string) => Array.from({ length: doors }, (_, n) => line(n)).join('\n')

const yaml = `
site: { name: Halls, timezone: UTC }
places:
${each((n) => `  h${n}: { level: zone }`)}
connectors: { wire: { type: scripted } }
devices:
${each((n) => `  b${n}: { connector: wire, input: { id: b${n} }, place: h${n}, kind: weapon }`)}
${each((n) => `  f${n}: { connector: wire, input: { id: f${n} }, place: h${n}, means: fire }`)}
${each((n) => `  d${n}: { connector: wire, output: { id: d${n} }, guards: [h${n}], egress: free }`)}
responders:
  security: { page: { connector: wire, id: p1, perceptible: none } }
plans:
  all:
    when: {}
    steps:
      - { at: 0s, do: [page.send: { to: security }] }
      - { at: 20s, unless: acknowledged, do: [page.send: { to: security }] }
  weapon:
    when: { kind: weapon }
    steps:
      - { at: 0s, do: [page.send: { to: security }, door.lockdown: { to: guarding, expires: 20s, limit: 2m }] }
      - { at: 20s, unless: acknowledged, do: [page.send: { to: security }] }
`

interface Fire {
  active: boolean
  good: boolean
  readAt: number
  /** Whether the input is being read at all. */
  polled: boolean
}

async function building(seed: number): Promise<number> {
  const random = randomOf(seed)
  const dir = mkdtempSync(join(scratch, 'duress-doors-'))
  const hospital = await Hospital.open(yaml, { dir, random, fire: false })
  const fires = Array.from(
    { length: doors },
    (): Fire => ({ active: false, good: false, readAt: 0, polled: true }),
  )
  const { world, clock } = hospital
  world.onAct = ({ capability, target }) => {
    if (capability !== 'door.lockdown') return
    const fire = fires[Number(target.slice(1))] as Fire
    const clear = fire.good && !fire.active && clock.now() - fire.readAt <= fireStaleMs
    expect(clear, `seed ${seed}: ${target} was locked with its fire input ${JSON.stringify(fire)}`).toBe(true)
  }
  const read = () => {
    for (const [n, fire] of fires.entries()) {
      if (!fire.polled) continue
      fire.readAt = clock.now()
      world.context.note(
        `f${n}`,
        fire.good ? { active: fire.active, quality: 'good' } : { quality: 'unknown' },
      )
    }
  }
  const open = new Map<number, string>()
  try {
    for (let step = 0; step < 90; step++) {
      for (let n = 0; n < doors / 8; n++)
        await happen(hospital, Math.floor(random() * doors), random, fires, open)
      const roll = random()
      if (roll < 0.03) clock.stepWall((random() - 0.5) * 600_000)
      else if (roll < 0.05) await hospital.restart()
      read()
      await hospital.advance(2_000)
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
    const pressed = await hospital.press(`b${n}`)
    if (pressed.incident) open.set(n, pressed.incident)
  } else if (roll < 0.45) fire.active = !fire.active
  else if (roll < 0.6) fire.good = random() < 0.8
  else if (roll < 0.7) fire.polled = !fire.polled
  else if (roll < 0.85) hospital.world.behaves(`d${n}`, oneOf(random, manners))
  else if (incident && roll < 0.92) await hospital.does(incident, 'released')
  else if (incident) {
    await hospital.resolve(incident)
    open.delete(n)
  }
}

/** However it went: once the devices work again, all holds end and every door is as it was. */
async function end(hospital: Hospital, seed: number, open: Map<number, string>): Promise<void> {
  for (let n = 0; n < doors; n++) hospital.world.behaves(`d${n}`, 'well')
  for (const incident of open.values())
    if (hospital.machine.book.page(incident)) await hospital.resolve(incident)
  await hospital.advance(180_000)
  await hospital.drain()
  expect(hospital.machine.doors.liveHolds(), `seed ${seed}`).toEqual([])
  for (const [door, mode] of hospital.world.doors) expect(mode, `seed ${seed}: ${door}`).not.toBe('lockdown')
}
