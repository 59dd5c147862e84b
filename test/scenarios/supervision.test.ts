import { describe, expect, it } from 'vitest'
import {
  alive,
  day,
  faults,
  hospital,
  hour,
  jump,
  minute,
  note,
  notices,
  open,
  openOnDisk,
  stands,
  text,
} from '../simulation/supervised.ts'

/** safety.md, "Silence of devices". */

const reporting =
  '  lobby-sensor: { connector: wire, input: { id: s1 }, place: north/l1/lobby, reports: 60s }\n'

/** Time passes while a device goes on reporting. */
const reportingFor = async (device: string, ms: number) => {
  for (let passed = 0; passed < ms; passed += 30_000) {
    alive(device)
    await hospital.advance(30_000)
  }
}
const incidentsOpened = () => hospital.told.filter(({ what }) => what === 'opened').length
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
