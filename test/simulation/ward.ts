import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Message } from '../../core/message/message.ts'
import { Hospital } from './hospital.ts'
import { randomOf } from './random.ts'

const rooms = 250
const minutes = 2
/** Memory-backed where there is such a place: durability is proven elsewhere, here only what is on record counts. */
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/**
 * Random interleavings of presses, moves, acknowledges, declines, failing pagers, restarts and clock steps: so many
 * incidents, in wards with every second seed from `first` on. Each incident of a ward lives its own history; all share
 * pagers, restarts and clock. A failure prints its seed; DURESS_SEED starts there.
 */
export const interleave = async (interleavings: number, first: number): Promise<void> => {
  let incidents = 0
  for (let seed = Number(process.env['DURESS_SEED'] ?? first); incidents < interleavings; seed += 2)
    incidents += await ward(seed)
}

const yaml = `
site: { name: Ward, timezone: UTC }
places:
  ward: { level: unit, target: 90s, in: { ${Array.from({ length: rooms }, (_, n) => `r${n}: { level: room }`).join(', ')} } }
connectors: { wire: { type: scripted } }
devices:
${Array.from({ length: rooms }, (_, n) => `  b${n}: { connector: wire, input: { id: b${n} }, person: n${n} }`).join('\n')}
  fire-panel: { connector: wire, input: { id: fire }, means: fire, place: ward }
responders:
  security: { page: { connector: wire, id: p1, perceptible: none } }
  supervisor: { page: { connector: wire, id: p2, perceptible: none } }
plans:
  all:
    when: {}
    silent: true
    steps:
      - { at: 0s, do: [page.send: { to: security }] }
      - { at: 30s, unless: acknowledged, do: [page.send: { to: supervisor }] }
`

/** What a bystander knows of a room's incident: the oracle. */
interface Known {
  incident: string
  answered: boolean
  onScene: boolean
  resolved: boolean
}

/** One ward through its two minutes, on simulated time. Returns how many incidents have lived and ended. */
async function ward(seed: number): Promise<number> {
  const random = randomOf(seed)
  const dir = mkdtempSync(join(scratch, 'duress-ward-'))
  const hospital = await Hospital.open(yaml, { dir, random })
  const known = new Map<number, Known>()
  const all = new Map<string, Known>()
  let sent = 0
  const check = () => {
    for (; sent < hospital.world.acts.length; sent++) {
      const message = hospital.world.acts[sent]?.args.message as Message
      const state = all.get(message.incident)
      if (message.about === 'escalation' && state)
        expect(
          state.answered || state.onScene || state.resolved,
          `seed ${seed}: escalated after its condition`,
        ).toBe(false)
      if (message.about === 'overdue' && state)
        expect(state.onScene || state.resolved, `seed ${seed}: overdue after somebody arrived`).toBe(false)
    }
  }
  try {
    for (let step = 0; step < minutes * 30; step++) {
      // What happens in one turn happens at once: each call takes effect in memory before the next.
      const chosen = new Set(Array.from({ length: rooms / 5 }, () => Math.floor(random() * rooms)))
      await Promise.all([...chosen].map((room) => happen(hospital, room, random, known, all, check)))
      check()
      const roll = random()
      if (roll < 0.02) hospital.clock.stepWall((random() - 0.5) * 7_200_000)
      else if (roll < 0.05)
        hospital.world.behaves(random() < 0.5 ? 'p1' : 'p2', random() < 0.5 ? 'refuses' : 'well')
      else if (roll < 0.06) hospital.world.behaves('p2', 'hangs')
      else if (roll < 0.07) await hospital.restart()
      await hospital.advance(2_000)
      check()
    }
    hospital.world.behaves('p1', 'well')
    hospital.world.behaves('p2', 'well')
    await hospital.advance(15_000)
    await hospital.drain()
    check()
    for (const page of hospital.machine.book.pages())
      expect(page.lookAt, `seed ${seed}: ${page.incident.id} has no next step`).not.toBeNull()
    for (const state of known.values()) if (!state.resolved) await resolve(hospital, state)
    await hospital.advance(15_000)
    await hospital.drain()
    expect([...hospital.machine.book.pages()], `seed ${seed}`).toEqual([])
    const commands = hospital.told.filter((entry) => entry.what === 'command').map(({ command }) => command)
    const receipts = hospital.receipts().map(({ command }) => command)
    expect(new Set(receipts), `seed ${seed}: a command without a receipt`).toEqual(new Set(commands))
    expect(receipts.length, `seed ${seed}: two receipts for one command`).toBe(new Set(receipts).size)
    return all.size
  } finally {
    await hospital.close()
    rmSync(dir, { recursive: true, maxRetries: 20, retryDelay: 50 })
  }
}

async function happen(
  hospital: Hospital,
  room: number,
  random: () => number,
  known: Map<number, Known>,
  all: Map<string, Known>,
  check: () => void,
): Promise<void> {
  const state = known.get(room)
  const roll = random()
  if (!state || state.resolved || roll < 0.15) {
    const { incident } = await hospital.badge(`b${room}`, `ward/r${room}`)
    const again = all.get(incident as string)
    if (again) again.answered = again.onScene
    else {
      const opened = { incident: incident as string, answered: false, onScene: false, resolved: false }
      known.set(room, opened)
      all.set(opened.incident, opened)
    }
    return
  }
  check()
  if (roll < 0.3) await hospital.seen(`b${room}`, `ward/r${Math.floor(random() * rooms)}`)
  else if (roll < 0.5) await does(hospital, state, 'acknowledged')
  else if (roll < 0.6) await does(hospital, state, 'on-the-way')
  else if (roll < 0.65) await does(hospital, state, 'on-scene')
  else if (roll < 0.7) await decline(hospital, state)
  else if (roll < 0.75) await resolve(hospital, state)
}

async function does(
  hospital: Hospital,
  state: Known,
  is: 'acknowledged' | 'on-the-way' | 'on-scene',
): Promise<void> {
  state.answered = true
  if (is === 'on-scene') state.onScene = true
  await hospital.does(state.incident, is)
}

/** All is done by one officer here, so a decline takes the acknowledgement back. */
async function decline(hospital: Hospital, state: Known): Promise<void> {
  state.answered = state.onScene
  await hospital.does(state.incident, 'declined')
}

async function resolve(hospital: Hospital, state: Known): Promise<void> {
  state.resolved = true
  await hospital.resolve(state.incident)
}
