import { describe, expect, it } from 'vitest'
import {
  day,
  faults,
  hospital,
  hour,
  intoRepair,
  jump,
  minute,
  note,
  notices,
  open,
  openOnDisk,
  stands,
  text,
  walk,
} from '../simulation/supervised.ts'

/** safety.md, "Silence of devices". */

describe('row 26: walk test, service mode, and what has not been tested for long', () => {
  it('row 26: a press in a walk test is told as one, proves the device, and resolves itself', async () => {
    await open()
    await walk('triage-2-button')
    const { incident } = await hospital.press('triage-2-button')
    await hospital.advance(1_000)
    expect(text(hospital.pages('p1')[0])).toMatch(/^DRILL WALK TEST DURESS ED Triage 2/)
    expect(hospital.machine.book.page(incident as string)).toBeUndefined()
    expect(hospital.told).toContainEqual(
      expect.objectContaining({ what: 'change', is: 'resolved: test', note: 'proven', incident }),
    )
    expect(hospital.machine.supervision.proofs.of('triage-2-button')).toMatchObject({
      proof: {
        how: 'walk-test',
        by: 'T. Ester',
        outputs: expect.arrayContaining([expect.objectContaining({ target: 'security' })]),
      },
    })
    await hospital.advance(10 * minute)
    expect(hospital.pages()).toHaveLength(1)
  })

  it('row 26: an output that failed leaves it unproven, and says why', async () => {
    await open()
    await walk('triage-2-button')
    hospital.world.behaves('p1', 'never')
    const { incident } = await hospital.press('triage-2-button')
    await hospital.advance(1_000)
    const tested = hospital.machine.supervision.proofs.of('triage-2-button')
    expect(tested).toMatchObject({
      proof: null,
      failed: { why: expect.stringContaining('p1 does not exist') },
    })
    expect(hospital.told).toContainEqual(expect.objectContaining({ what: 'test', proven: false, incident }))
    expect(hospital.machine.book.page(incident as string)).toBeUndefined()
  })

  it('row 26: an output that never answers does not keep the walk test open', async () => {
    await open()
    await walk('triage-2-button')
    hospital.world.behaves('p1', 'refuses')
    await hospital.press('triage-2-button')
    await hospital.advance(22_000)
    expect(hospital.machine.book.size).toBe(0)
    expect(hospital.machine.supervision.proofs.of('triage-2-button')?.failed?.why).toContain('no receipt')
    await hospital.advance(10 * minute)
    expect(hospital.pages()).toEqual([])
  })

  it('row 26: a walk test moves no door, and is heard nowhere near somebody under duress', async () => {
    await open()
    await walk('lobby-button', 'triage-5-button')
    await hospital.press('lobby-button')
    await hospital.advance(1_000)
    expect(hospital.acts('door.lockdown')).toEqual([])
    expect(hospital.receipt('door.lockdown', 'door-lobby')).toMatchObject({
      end: 'suppressed',
      why: 'walk test: no door is moved',
    })
    expect(stands('lobby-button').is).not.toBe('lost')
    expect(hospital.machine.supervision.proofs.of('lobby-button')?.proof?.how).toBe('walk-test')
  })

  it('row 26: each button is proven on its own, and a real press beside it stays real', async () => {
    await open()
    await walk('triage-2-button')
    const test = await hospital.press('triage-2-button')
    const real = await hospital.badge('badge-1', 'north/l2/ed/triage-2')
    await hospital.advance(2_000)
    expect(real.incident).not.toBe(test.incident)
    expect(hospital.incident(real.incident).drill).toBe(false)
  })

  it('row 26: a walk test ends by itself; the next press is real', async () => {
    await open()
    await walk('triage-2-button')
    await hospital.advance(2 * hour)
    expect(hospital.machine.supervision.modes.walkTests()).toEqual([])
    const { incident } = await hospital.press('triage-2-button')
    expect(hospital.incident(incident).drill).toBe(false)
  })

  it('row 26: a restart in the middle of a walk test forgets neither the test nor its incident', async () => {
    await openOnDisk()
    await walk('triage-2-button')
    hospital.world.behaves('p1', 'hangs')
    await hospital.press('triage-2-button')
    await hospital.restart()
    await hospital.advance(25_000)
    expect([...hospital.machine.book.pages()].filter(({ incident }) => !incident.resolved)).toEqual([])
    expect(hospital.machine.supervision.modes.walkTests()).toHaveLength(1)
  })

  it('row 26: a press in the name of a device that came another way is never a test', async () => {
    await open()
    await walk('triage-2-button')
    const press = {
      is: 'press',
      phase: 'active',
      device: 'triage-2-button',
      from: 'x',
      key: 'k',
      raw: null,
    } as const
    const { incident } = await hospital.settled(hospital.machine.bridge.record('api', press))
    await hospital.advance(1_000)
    expect(hospital.incident(incident).drill).toBe(false)
    expect(hospital.machine.supervision.proofs.of('triage-2-button')).toBeUndefined()
  })

  it('a real press whose outputs were observed proves the device as well', async () => {
    await open({
      devices: '  b9: { connector: wire, input: { id: b9 }, place: north/l1/gift-shop, test: 30d }\n',
    })
    expect(stands('b9').is).toBe('never-tested')
    const { incident } = await hospital.press('b9')
    await hospital.advance(1_000)
    expect(stands('b9')).toMatchObject({ is: 'proven', why: expect.stringContaining('(real)') })
    expect(hospital.incident(incident).resolved).toBeNull()
  })

  it('row 26: what has not fired for its number of days is said', { timeout: 60_000 }, async () => {
    await open({
      devices: '  b9: { connector: wire, input: { id: b9 }, place: north/l1/gift-shop, test: 7d }\n',
    })
    const { incident } = await hospital.press('b9')
    await hospital.advance(1_000)
    await hospital.resolve(incident as string)
    await jump(7 * day - hour)
    expect(stands('b9').is).toBe('proven')
    await hospital.advance(2 * hour)
    expect(stands('b9')).toMatchObject({ is: 'late', why: expect.stringContaining('due every 7 days') })
    expect(faults()).toContain('test-overdue:b9')
  })
})

describe('row 36: service mode', () => {
  it('row 36: keeps the faults of a device from paging, and ends by itself', async () => {
    await open()
    await intoRepair('triage-2-button', hour)
    note('triage-2-button', { quality: 'unknown' })
    await hospital.advance(59 * minute)
    expect(stands('triage-2-button')).toMatchObject({
      is: 'service',
      why: expect.stringContaining('new cable'),
    })
    expect(notices()).toEqual([])
    await hospital.advance(2 * minute)
    expect(stands('triage-2-button').is).toBe('lost')
    expect(notices()).toHaveLength(1)
    expect(hospital.told).toContainEqual(expect.objectContaining({ what: 'service', until: null }))
  })

  it('row 36: lasts at most 8 hours', async () => {
    await open()
    await intoRepair('triage-2-button', 30 * hour)
    await hospital.advance(8 * hour)
    expect(
      hospital.machine.supervision.modes.serviced('triage-2-button', hospital.clock.now()),
    ).toBeUndefined()
  })

  it('row 36: a press in service mode still summons help, and says that it is one', async () => {
    await open()
    await intoRepair('triage-2-button', hour)
    const { incident } = await hospital.press('triage-2-button')
    await hospital.advance(0)
    expect(hospital.incident(incident)).toMatchObject({ drill: false, mode: 'service' })
    expect(text(hospital.pages('p1')[0])).toMatch(/^DURESS ED Triage 2.*SERVICE MODE: come all the same/)
  })

  it('row 36: outlives a restart', async () => {
    await openOnDisk()
    await intoRepair('triage-2-button', hour)
    await hospital.restart()
    expect(stands('triage-2-button').is).toBe('service')
    await hospital.advance(hour)
    expect(stands('triage-2-button').is).not.toBe('service')
  })
})

describe('inspection', () => {
  it('a damaged device stands as one until somebody has seen it whole again', async () => {
    await open()
    const look = (damaged: boolean) =>
      hospital.settled(
        hospital.machine.supervision.inspected('triage-2-button', {
          damaged,
          note: 'cover torn off',
          photo: null,
          by: 'T. Ech',
          at: hospital.clock.now(),
        }),
      )
    await look(true)
    expect(stands('triage-2-button')).toMatchObject({
      is: 'damaged',
      why: expect.stringContaining('cover torn off'),
    })
    expect(faults()).toContain('damaged:triage-2-button')
    await look(false)
    expect(stands('triage-2-button').is).toBe('fine')
    expect(faults()).toEqual([])
  })
})
