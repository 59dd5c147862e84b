import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { fit as textFor } from '../../core/message/fit.ts'
import { Hospital, mercy } from '../simulation/hospital.ts'

/** safety.md, "Silence of devices". */

let hospital: Hospital
let dir: string | null = null
afterEach(async () => {
  await hospital.close()
  if (dir !== null) rmSync(dir, { recursive: true, maxRetries: 20, retryDelay: 50 })
  dir = null
})

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** The site of the scenarios with people who look after it: technicians, those of the ED, and an administrator. */
const site = ({ devices = '', supervision = '' } = {}): string =>
  mercy
    .replace(
      'responders:\n',
      `responders:
  technicians: { page: { connector: wire, id: tech, perceptible: vibrate } }
  ed-technician: { page: { connector: wire, id: ed-tech, perceptible: vibrate } }
  administrator: { page: { connector: wire, id: admin, perceptible: none } }
  ed-shelf: { page: { connector: wire, id: shelf, place: north/l2/ed/ed-hall, perceptible: sound } }
`,
    )
    .replace('devices:\n', `devices:\n${devices}`)
    .concat(`supervision:
  maintenance: technicians
  administrators: administrator
${supervision}`)

const reporting =
  '  lobby-sensor: { connector: wire, input: { id: s1 }, place: north/l1/lobby, reports: 60s }\n'

const open = async (more: Parameters<typeof site>[0] = {}) => {
  hospital = await Hospital.open(site(more))
}
/** On a disk, so that it can be started again. */
const openOnDisk = async () => {
  dir = mkdtempSync(join(tmpdir(), 'duress-supervision-'))
  hospital = await Hospital.open(site(), { dir })
}
/** Much time passes at once, as if the machine had slept: everything that fell due comes then. */
const jump = async (ms: number) => {
  hospital.clock.raise(hospital.clock.now() + ms)
  await hospital.advance(2 * minute)
}

const note = (device: string, state: object) => hospital.world.context.note(device, state)
const alive = (device: string) => note(device, { quality: 'good' })
const faults = () => hospital.machine.faults.open().map(({ id }) => id)
const stands = (device: string) => {
  const { machine, clock } = hospital
  return machine.supervision.standing(machine.site.devices.get(device)!, clock.now())
}
const text = (page: { at: number; args: any } | undefined): string =>
  page ? textFor(page.args.message, { characters: 300, charset: 'unicode', now: page.at }) : ''
/** Pages about faults, to one pager or to all. */
const notices = (pager?: string) => hospital.pages(pager).filter(({ args }) => args.message.about === 'fault')
/** Time passes while a device goes on reporting. */
const reportingFor = async (device: string, ms: number) => {
  for (let passed = 0; passed < ms; passed += 30_000) {
    alive(device)
    await hospital.advance(30_000)
  }
}
const incidentsOpened = () => hospital.told.filter(({ what }) => what === 'opened').length
const walk = async (...devices: string[]) =>
  (await hospital.settled(hospital.machine.supervision.modes.startWalkTest({ devices, by: 'T. Ester' }))).test
const intoRepair = (device: string, forMs: number) =>
  hospital.settled(
    hospital.machine.supervision.modes.startService(device, { forMs, by: 'T. Ech', why: 'new cable' }),
  )

describe('silence of fixed devices', () => {
  it('a device that reports is known to be lost within its interval and 90 s, and is back as soon as it says so', async () => {
    await open({ devices: reporting })
    alive('lobby-sensor')
    await hospital.advance(140_000)
    expect(faults()).not.toContain('lost:lobby-sensor')
    await hospital.advance(10_000)
    expect(faults()).toContain('lost:lobby-sensor')
    expect(stands('lobby-sensor')).toMatchObject({
      is: 'lost',
      why: expect.stringContaining('nothing heard for'),
    })
    alive('lobby-sensor')
    await hospital.advance(4_000)
    expect(faults()).not.toContain('lost:lobby-sensor')
  })

  it('a polled device that is dead is known within 10 s', async () => {
    await open({
      devices: '  polled: { connector: wire, input: { id: x1, polled: true }, place: north/l1/lobby }\n',
    })
    for (let n = 0; n < 30; n++) {
      alive('polled')
      await hospital.advance(1_000)
    }
    expect(faults()).toEqual([])
    await hospital.advance(9_000)
    expect(faults()).toEqual(['lost:polled'])
  })

  it('a link that is lost is known within 20 s', async () => {
    await open()
    hospital.world.drop()
    await hospital.advance(20_000)
    expect(faults()).toEqual(['link-down:wire'])
  })

  it('one that was never heard counts from the opening of its link', async () => {
    await open({ devices: reporting })
    await hospital.advance(150_000)
    expect(faults()).toContain('lost:lobby-sensor')
  })

  it('a press is a sign of life as well', async () => {
    await open({ devices: reporting })
    await hospital.advance(100_000)
    await hospital.press('lobby-sensor')
    await hospital.advance(100_000)
    expect(faults()).not.toContain('lost:lobby-sensor')
  })

  it('row 10: a link that is up is not believed: what counts is the age of the data', async () => {
    await open({ devices: reporting })
    await reportingFor('lobby-sensor', 5 * minute)
    await hospital.advance(150_000)
    const [link] = hospital.machine.runner.health()
    expect(link?.up).toBe(true)
    expect(stands('lobby-sensor').is).toBe('lost')
    expect(faults()).toContain('lost:lobby-sensor')
  })

  it('row 14: what stops silently after days is told, although its link is up', async () => {
    await open({ devices: reporting })
    await reportingFor('lobby-sensor', 3 * hour)
    expect(notices()).toEqual([])
    await hospital.advance(200_000)
    expect(text(notices('tech')[0])).toMatch(/^MAINTENANCE: north l1 Lobby: lobby-sensor: nothing heard for/)
  })
})

describe('what pages, and whom', () => {
  it('row 25: "unavailable" is a fault after a hold-off, and never a press', async () => {
    await open()
    note('triage-2-button', { quality: 'unknown' })
    await hospital.advance(29_000)
    expect(hospital.pages()).toEqual([])
    await hospital.advance(3_000)
    expect(incidentsOpened()).toBe(0)
    expect(hospital.pages().map(({ target }) => target)).toEqual(['tech'])
    expect(text(notices()[0])).toMatch(/^MAINTENANCE: ED Triage 2: triage-2-button: cannot be read/)
  })

  it('row 25: a sensor that was away for a moment pages nobody', async () => {
    await open()
    note('triage-2-button', { quality: 'unknown' })
    await hospital.advance(20_000)
    note('triage-2-button', { quality: 'good' })
    await hospital.advance(5 * minute)
    expect(hospital.pages()).toEqual([])
  })

  it('row 25: twenty sensors that go at once are one message, and those that follow are one more a minute later', async () => {
    const many = Array.from(
      { length: 20 },
      (_, n) => `  s${n}: { connector: wire, input: { id: m${n} }, place: north/l1/lobby }\n`,
    )
    await open({ devices: many.join('') })
    for (let n = 0; n < 15; n++) note(`s${n}`, { quality: 'unknown' })
    await hospital.advance(5_000)
    for (let n = 15; n < 20; n++) note(`s${n}`, { quality: 'unknown' })
    await hospital.advance(10 * minute)
    expect(notices()).toHaveLength(2)
    expect(text(notices()[0])).toMatch(/^MAINTENANCE: 15 faults, /)
  })

  it('a fault is never taken for a call for help, and goes behind every page for one', async () => {
    await open()
    note('triage-2-button', { quality: 'unknown' })
    await hospital.advance(35_000)
    const said = text(notices()[0])
    expect(said).toMatch(/^MAINTENANCE/)
    expect(said).not.toMatch(/DURESS|HELP|#\d/)
    expect(hospital.told.filter(({ what }) => what === 'command').map(({ incident }) => incident)).toEqual([
      null,
    ])
    expect(hospital.receipt('page.send', 'technicians')).toMatchObject({ end: 'done', incident: null })
  })

  it('plans say who looks after what: by place, and by what the fault is about', async () => {
    const supervision = `  plans:
    ed: { when: { place: north/l2/ed, fault: device }, to: ed-technician }
`
    await open({ supervision })
    note('triage-2-button', { quality: 'unknown' })
    note('lobby-button', { quality: 'unknown' })
    hospital.machine.faults.set('defect', 'a defect of the program')
    await hospital.advance(35_000)
    expect(text(notices('ed-tech')[0])).toContain('triage-2-button')
    expect(text(notices('tech')[0])).toContain('lobby-button')
    expect(text(notices('admin')[0])).toContain('defect')
    expect(notices()).toHaveLength(3)
  })

  it('a link that is down is one fault, not one for each device on it', async () => {
    await open({ devices: reporting })
    await hospital.advance(1_000)
    hospital.world.drop()
    await hospital.advance(20_000)
    expect(faults()).toContain('link-down:wire')
    expect(stands('triage-2-button').is).toBe('lost')
    await hospital.advance(10 * minute)
    hospital.world.mend()
    await hospital.advance(10_000)
    expect(notices()).toHaveLength(1)
    expect(text(notices()[0])).toContain('wire is not connected')
  })

  it('what comes and goes is told once, and stays open until it has been quiet', async () => {
    await open()
    for (let n = 0; n < 20; n++) {
      note('triage-2-button', { quality: 'unknown' })
      await hospital.advance(10_000)
      note('triage-2-button', { quality: 'good' })
      await hospital.advance(10_000)
    }
    expect(notices()).toHaveLength(1)
    expect(text(notices()[0])).toContain('FLAPPING')
    expect(faults()).toContain('unknown:triage-2-button')
    await hospital.advance(11 * minute)
    expect(faults()).not.toContain('unknown:triage-2-button')
    expect(notices()).toHaveLength(1)
  })

  it('nobody is told twice of the same fault, restarts included', async () => {
    await openOnDisk()
    note('triage-2-button', { quality: 'unknown' })
    await hospital.advance(35_000)
    await hospital.restart()
    note('triage-2-button', { quality: 'unknown' })
    await hospital.advance(hour)
    expect(notices()).toHaveLength(1)
  })

  it('nothing about a fault is heard beside somebody under duress', async () => {
    await open({
      supervision: '  plans: { ed: { when: { place: north/l2/ed }, to: [ed-shelf, ed-technician] } }\n',
    })
    await hospital.press('triage-2-button')
    note('triage-5-button', { quality: 'unknown' })
    await hospital.advance(35_000)
    expect(notices().map(({ target }) => target)).toEqual(['ed-tech'])
    expect(hospital.receipt('page.send', 'ed-shelf')).toMatchObject({
      end: 'suppressed',
      why: expect.stringContaining('silent'),
    })
  })
})

describe('worn devices', () => {
  const lockers = Array.from(
    { length: 1_500 },
    (_, n) => `  tag-${n}: { connector: wire, input: { id: tag-${n} }, person: nurse-${n} }\n`,
  ).join('')

  it('a night with 1,500 badges in lockers pages nobody', { timeout: 120_000 }, async () => {
    await open({ devices: lockers })
    for (let n = 0; n < 1_500; n++) note(`tag-${n}`, { quality: 'good' })
    for (let n = 0; n < 14; n++) await hospital.advance(hour)
    expect(hospital.pages()).toEqual([])
    expect(faults()).toEqual([])
    expect(stands('tag-7').is).toBe('never-tested')
  })

  it('one that nobody has heard for 14 days is missing, which is a line of the digest', {
    timeout: 60_000,
  }, async () => {
    await open()
    for (const badge of ['badge-1', 'badge-2', 'badge-3']) alive(badge)
    await hospital.advance(hour)
    await jump(13 * day)
    alive('badge-1')
    alive('badge-3')
    expect(faults()).toEqual([])
    await jump(day - hour)
    expect(faults()).toEqual(['missing:badge-2'])
    expect(stands('badge-2')).toMatchObject({ is: 'missing', why: expect.stringContaining('14 days') })
    expect(notices()).toEqual([])
    await jump(day)
    expect(notices()).toHaveLength(1)
    expect(text(notices('tech')[0])).toMatch(/^MAINTENANCE: daily digest, 1 missing: badge-2/)
    expect(hospital.machine.register.all('seen').size).toBe(3)
  })

  it('one that nobody carries is not waited for', async () => {
    await open({ devices: '  spare: { connector: wire, input: { id: spare } }\n' })
    expect(stands('spare')).toMatchObject({ is: 'fine', why: 'nobody carries it' })
  })

  it('the wearer tests it: for 60 s presses are tests, then every press is real', async () => {
    await open()
    const { modes } = hospital.machine.supervision
    await hospital.settled(
      modes.startWalkTest({ devices: ['badge-1'], by: 'nurse-1', forMs: 60_000, self: true }),
    )
    await hospital.advance(59_000)
    const test = await hospital.badge('badge-1', 'north/l2/ed/triage-2')
    await hospital.advance(500)
    expect(stands('badge-1')).toMatchObject({ is: 'proven', why: expect.stringContaining('nurse-1') })
    await hospital.advance(500)
    const real = await hospital.badge('badge-1', 'north/l2/ed/triage-2')
    await hospital.advance(0)
    expect(real.incident).not.toBe(test.incident)
    expect(hospital.incident(real.incident).drill).toBe(false)
    expect(text(hospital.pages('p1').at(-1))).toMatch(/^DURESS/)
  })
})

describe('the daily digest', () => {
  it('low battery, missing and overdue are one message for each unit and day', async () => {
    await open({
      devices:
        '  till-2: { connector: wire, input: { id: till-2 }, place: north/l1/pharmacy/counter, test: 30d }\n',
    })
    note('triage-2-button', { batteryPercent: 7 })
    note('triage-5-button', { batteryPercent: 9 })
    await hospital.advance(6 * hour)
    const said = notices('tech').map(text)
    expect(said).toHaveLength(2)
    expect(said[0]).toMatch(/digest Emergency, Level 2|digest Emergency/)
    expect(said.join('\n')).toContain('2 low battery: triage-2-button, triage-5-button')
    expect(said.join('\n')).toContain('1 never tested: till-2')
    await jump(day)
    expect(notices('tech')).toHaveLength(4)
  })

  it('comes at its time of day on the days when the clocks change, once', { timeout: 60_000 }, async () => {
    await open({ supervision: '  digest: "02:30"\n' })
    note('triage-2-button', { batteryPercent: 7 })
    // To the eve of 8 March 2026, when 02:30 is skipped in Chicago.
    await jump(Date.UTC(2026, 2, 8, 7) - hospital.clock.now())
    const before = notices().length
    await hospital.advance(3 * hour)
    expect(notices()).toHaveLength(before + 1)
    await jump(Date.UTC(2026, 2, 9, 7) - hospital.clock.now())
    await hospital.advance(hour)
    expect(notices()).toHaveLength(before + 2)
    const [last] = notices().slice(-1)
    expect(new Date(last?.at ?? 0).toISOString()).toBe('2026-03-09T07:30:00.000Z')
  })

  it('a bridge that was away at its time sends it when it is back', async () => {
    await openOnDisk()
    note('triage-2-button', { batteryPercent: 7 })
    await hospital.advance(4 * hour)
    const stopping = hospital.machine.stop()
    await hospital.settled(stopping)
    await hospital.advance(12 * hour)
    await hospital.boot()
    await hospital.advance(2_000)
    expect(notices()).toHaveLength(1)
    await hospital.advance(10_000)
    expect(notices()).toHaveLength(1)
  })
})

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
