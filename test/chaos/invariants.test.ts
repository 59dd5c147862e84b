import { describe, expect, test } from 'vitest'
import { type Around, judgeCommand, type StoredCommand } from './commands.ts'
import { judgeDoor, type Turn } from './doors.ts'
import { deviceCount } from './ground.ts'
import type { ArrivalRow, DoorRow } from './record.ts'
import { type FaultKind, faultKinds, scheduleOf } from './schedule.ts'
import { Times } from './times.ts'
import { TrailWalk } from './trail.ts'
import { type Invariant, Violations } from './violations.ts'

/** A check that can't fail proves nothing: each invariant is shown a run in which it is broken. */
const now = 1_800_000_000_000
const page: StoredCommand = {
  id: 'i/step.0.0/pager-0-0',
  target: 'pager-0-0',
  capability: 'page.send',
  expiresAt: now + 86_400_000,
  receipt: { end: 'done', why: '', effect: 'had', attempts: 1, proof: 'answered', at: now + 150 },
}
const lock: StoredCommand = {
  ...page,
  id: 'i/step.0.2/door-0-0',
  target: 'door-0-0',
  capability: 'door.lockdown',
  expiresAt: now + 4_000,
}
const arrived: ArrivalRow = {
  at: now + 100,
  target: 'pager-0-0',
  what: 'page',
  command: page.id,
  repeat: 0,
  did: 1,
  answered: 1,
}
const locked: ArrivalRow = { ...arrived, target: 'door-0-0', what: 'lockdown', command: lock.id }

const times = (
  windows: readonly { kind: FaultKind; on: string; by?: number; from: number; to: number }[] = [],
) =>
  new Times(
    windows.map((window) => ({ by: 0, ...window })),
    [{ from: now - 60_000, to: Number.POSITIVE_INFINITY, offset: 0 }],
  )

const judged = (
  command: StoredCommand,
  arrivals: readonly ArrivalRow[],
  more: Partial<Omit<Around, 'found'>> = {},
): Violations => {
  const found = new Violations()
  const around = {
    times: times(),
    openedAt: () => now,
    fireSince: () => null,
    doorWas: () => false,
    holdEnded: () => null,
    ...more,
  }
  judgeCommand(command, arrivals, { ...around, found })
  return found
}

const broken = ({ counts }: Violations): string[] => Object.keys(counts)

describe('a command', () => {
  test('that went well breaks nothing', () => {
    expect(broken(judged(page, [arrived]))).toEqual([])
    expect(broken(judged(lock, [locked]))).toEqual([])
  })

  const receipt = (end: string, effect: string) => ({
    ...page,
    receipt: { end, why: '', effect, attempts: 1, proof: null, at: now + 150 },
  })
  test.each<[string, Invariant, StoredCommand, ArrivalRow[]]>([
    ['without a receipt', 'receipt', { ...page, receipt: null }, [arrived]],
    ['done that never arrived', 'truthful', page, []],
    ['done that a target did not do', 'truthful', page, [{ ...arrived, did: 0 }]],
    ['failed without effect that was done', 'truthful', receipt('failed', 'none'), [arrived]],
    ['expired without effect that was done', 'truthful', receipt('expired', 'none'), [arrived]],
    ['told seconds late for no reason', 'waits', page, [{ ...arrived, at: now + 3_100 }]],
    ['a lock after its expiry', 'late', lock, [{ ...locked, at: now + 4_600 }]],
    ['told twice for no reason', 'repeated', page, [arrived, { ...arrived, at: now + 300, repeat: 1 }]],
    [
      'told twice without saying so',
      'repeated',
      page,
      [
        { ...arrived, answered: 0 },
        { ...arrived, at: now + 2_000 },
      ],
    ],
    ['a door locked twice for no reason', 'repeated', lock, [locked, { ...locked, at: now + 300 }]],
  ])('%s is found', (_, invariant, command, arrivals) => {
    expect(broken(judged(command, arrivals))).toContain(invariant)
  })

  test('a lock after the end of its hold, and one into a fire, are found', () => {
    expect(broken(judged(lock, [{ ...locked, at: now + 1_000 }], { holdEnded: () => now + 400 }))).toEqual([
      'late',
    ])
    expect(broken(judged(lock, [locked], { fireSince: () => now - 3_000 }))).toEqual(['fire'])
    expect(broken(judged(lock, [locked], { fireSince: () => now - 1_000 }))).toEqual([])
  })

  test('a lock is done by what the door reports, and by nothing less', () => {
    const lost = [{ ...locked, did: 0, answered: 0 }]
    const read = { ...lock, receipt: { ...receipt('done', 'had').receipt, proof: 'confirmed' } }
    const wasLocked = { doorWas: (_: string, mode: string) => mode === 'lockdown' }
    expect(broken(judged(read, lost, wasLocked))).toEqual([])
    expect(broken(judged(read, lost))).toEqual(['truthful'])
    expect(broken(judged({ ...read, capability: 'door.secure' }, lost, wasLocked))).toEqual(['truthful'])
    expect(broken(judged({ ...lock }, lost, wasLocked))).toEqual(['truthful'])
  })

  test('a release of a door that is free is done by what the door reports, and by nothing less', () => {
    const lost = [{ ...locked, what: 'release', did: 0, answered: 0 }]
    const read = { ...receipt('done', 'had').receipt, proof: 'confirmed' }
    const release = { ...lock, capability: 'door.release', expiresAt: null, receipt: read }
    const was = (mode: string) => ({ doorWas: (_: string, other: string) => other === mode })
    expect(broken(judged(release, lost, was('unlocked')))).toEqual([])
    expect(broken(judged(release, lost, was('locked')))).toEqual(['truthful'])
    const answered = { ...read, proof: 'answered' }
    expect(broken(judged({ ...release, receipt: answered }, lost, was('unlocked')))).toEqual(['truthful'])
  })

  test('a lock that a slow wire kept is as late as that wire is slow, and no later', () => {
    const slow = (on: string, by: number) =>
      times([{ kind: 'wire-slow', on, by, from: now - 1_000, to: now + 9_000 }])
    const late = [{ ...locked, at: now + 5_400 }]
    expect(broken(judged(lock, late, { times: slow('doors-0', 1_000) }))).toEqual([])
    expect(broken(judged(lock, late, { times: slow('doors-0', 800) }))).toEqual(['late'])
    expect(broken(judged(lock, late, { times: slow('doors-1', 1_000) }))).toContain('late')
    const ended = { holdEnded: () => now + 1_000, times: slow('doors-0', 1_000) }
    expect(broken(judged(lock, [{ ...locked, at: now + 2_400 }], ended))).toEqual([])
    expect(broken(judged(lock, [{ ...locked, at: now + 2_600 }], ended))).toEqual(['late'])
  })

  test('a fault elsewhere excuses nothing', () => {
    const late = [{ ...arrived, at: now + 3_100 }]
    const hangs = (on: string) => times([{ kind: 'target-hangs', on, from: now - 1_000, to: now + 2_000 }])
    expect(broken(judged(page, late, { times: hangs('pagers-1') }))).toEqual(['waits'])
    expect(broken(judged(page, late, { times: hangs('pagers-0') }))).toEqual([])
  })

  test('is judged by the clock of the life of the bridge that sent it', () => {
    const epochs = [
      { from: now - 9_000, to: now + 50, offset: 0 },
      { from: now + 60, to: Number.POSITIVE_INFINITY, offset: null },
    ]
    const hour = new Times([], epochs)
    hour.learn(now + 1_000, now + 1_000 + 3_600_000)
    expect(hour.bridgeAt(now + 2_000)).toBe(now + 2_000 + 3_600_000)
    expect(hour.ours(now + 2_000 + 3_600_000)).toBe(now + 2_000)
    expect(broken(judged(lock, [{ ...locked, at: now + 2_000 }], { times: hour }))).toContain('late')
  })
})

describe('the trail', () => {
  const walked = (...rows: object[][]): Violations => {
    const found = new Violations()
    const walk = new TrailWalk(found)
    rows.forEach((entries, n) => {
      walk.row(now + n, JSON.stringify(entries))
    })
    walk.end()
    return found
  }
  const command = { what: 'command', command: 'c' }
  const receipt = { what: 'receipt', command: 'c', end: 'done', attempts: 1 }
  const suppressed = { what: 'receipt', command: 's', end: 'suppressed', attempts: 0 }

  test('each command has one receipt', () => {
    expect(broken(walked([command], [receipt], [suppressed]))).toEqual([])
    expect(broken(walked([command]))).toEqual(['receipt'])
    expect(broken(walked([command], [receipt], [receipt]))).toEqual(['receipt'])
    expect(broken(walked([receipt]))).toEqual(['receipt'])
    expect(broken(walked([suppressed], [suppressed]))).toEqual(['receipt'])
  })

  test('each fact has its press, of the same incident', () => {
    const found = new Violations()
    const walk = new TrailWalk(found)
    const press = (event: string) => ({ what: 'press', event, incident: 'i', device: 'button-1' })
    walk.row(now, JSON.stringify([press('a'), press('b')]))
    walk.fact('a', 'i')
    expect(broken(found)).toEqual([])
    walk.fact('b', 'other')
    walk.fact('c', 'i')
    expect(found.counts).toEqual({ recorded: 2 })
  })
})

describe('a door', () => {
  const turns: Turn[] = [
    { at: now, is: 1 },
    { at: now + 2_000, is: -1 },
  ]
  const modes = (freedAt: number): DoorRow[] => [
    { at: now + 100, door: 'door-0-0', mode: 'lockdown' },
    { at: freedAt, door: 'door-0-0', mode: 'unlocked' },
  ]
  const held = (freedAt: number, around = times()) => {
    const found = new Violations()
    judgeDoor('door-0-0', modes(freedAt), turns, around, found)
    return broken(found)
  }

  test('is released soon after its last hold', () => {
    expect(held(now + 2_300)).toEqual([])
    expect(held(now + 6_100)).toEqual(['held'])
    expect(held(now + 6_100, times([{ kind: 'stop-bridge', on: '', from: now, to: now + 5_000 }]))).toEqual(
      [],
    )
  })
})

test('the site has 200 devices', () => {
  expect(deviceCount).toBe(200)
})

describe('a schedule', () => {
  test('is the same for the same seed, and has every kind in time', () => {
    expect(scheduleOf(7, 600_000)).toEqual(scheduleOf(7, 600_000))
    expect(scheduleOf(7, 600_000)).not.toEqual(scheduleOf(8, 600_000))
    expect(new Set(scheduleOf(7, 600_000).map(({ kind }) => kind))).toEqual(new Set(faultKinds))
  })

  test('has only what is asked for', () => {
    expect(new Set(scheduleOf(7, 60_000, ['kill-bridge']).map(({ kind }) => kind))).toEqual(
      new Set(['kill-bridge']),
    )
  })
})
