import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Hearing, people, phoneToken, tagOf } from './hearing.ts'
import { cleanUp, until } from './program.ts'

/**
 * Promises 1, 2 and 5 for keypads, badges and phones: what is acknowledged is on disk and is responded to once, over
 * kill -9 and over our absence, and whom nobody configured is heard all the same.
 */
let at: Hearing

beforeEach(async () => {
  at = await Hearing.prepare()
  await at.start()
})

afterEach(async () => {
  await cleanUp()
  await at.close()
})

describe('a keypad, over DC-09', () => {
  const duress = '1121 01 012'

  test("a teller's duress code, encrypted: security is told who and where", async () => {
    const panel = at.panel()
    expect(await panel.send(duress)).toMatchObject({ is: 'ACK' })
    expect(await at.recorded('panels')).toEqual(['teller-code'])
    expect((await at.paged(/DURESS.*Cash Desk/i)).text).toContain('by Tess Teller')
    expect(await at.incidents()).toMatchObject([{ kind: 'duress' }])
    expect(panel.faults).toEqual([])
  })

  test('the ACK comes only after the record', async () => {
    await at.restartWithoutJournal()
    const panel = at.panel()
    const release = at.occupyStore()
    expect(await panel.send(duress, { withinMs: 700 })).toBeNull()
    expect(panel.answers).toEqual([])
    panel.cut()
    release()
    expect(await panel.again()).toMatchObject({ is: 'ACK' })
    for (let zone = 101; zone <= 120; zone++) {
      expect(await panel.send(`1120 01 ${zone}`)).toMatchObject({ is: 'ACK' })
      expect(await at.recorded('panels')).toHaveLength(zone - 99)
    }
  })

  test('an unknown account and an unknown alarm code open incidents, and security is told in words', async () => {
    expect(await at.panel({ account: '9999' }).send('Nri1/PA007')).toMatchObject({ is: 'DUH' })
    await at.paged(/unknown account 9999.*zone 7/i)
    expect(await at.panel().send('1789 01 044')).toMatchObject({ is: 'ACK' })
    await at.paged(/account 0809.*789/i)
    expect((await at.incidents()).map(({ kind }) => kind).sort()).toEqual(['duress', 'unknown'])
  })

  test('kill -9 right after the ACK: complete once after the start; the retry is acknowledged and opens nothing', async () => {
    const panel = at.panel()
    expect(await panel.send(duress)).toMatchObject({ is: 'ACK' })
    await at.restartAfterKill()
    await at.isCompleteOnce(1)
    expect(await panel.again({ attempts: 3 })).toMatchObject({ is: 'ACK' })
    expect(await at.recorded('panels')).toEqual(['teller-code'])
    await at.isCompleteOnce(1)
    await at.isToldOnce()
  })
})

describe('a badge, over a real broker', () => {
  const badgeOf = (person: number) => `badge-${tagOf(person)}`

  test('pressed while the bridge is down: responded to after its start, with its place and who carries it', async () => {
    await at.badges.advertise(tagOf(0))
    expect(await at.program.end()).toBe(0)
    await at.badges.click(tagOf(0), { repeats: 2 })
    await at.start()
    const { text } = await at.paged(/DURESS.*ED Hall/i)
    expect(text).toContain('(zone only)')
    expect(text).toContain('by Ada Lund (RN)')
    await at.isCompleteOnce(1)
    expect(await at.recorded('badges')).toEqual([badgeOf(0)])
  })

  test('the PUBACK comes only after the record', async () => {
    await at.restartWithoutJournal()
    const release = at.occupyStore()
    await at.badges.click(tagOf(1))
    await at.othersAreAcknowledged()
    expect(at.unacknowledged).toBe(1)
    release()
    await until('the PUBACK', () => at.unacknowledged === 0)
    expect(await at.recorded('badges')).toEqual([badgeOf(1)])
  })

  test('kill -9 after the PUBACK loses nothing and doubles nothing', async () => {
    const { acknowledged } = at.broker.deliveries
    await at.badges.click(tagOf(1))
    await until('the PUBACK', () => at.broker.deliveries.acknowledged > acknowledged)
    await at.restartAfterKill()
    await at.isCompleteOnce(1)
    // Two gateways still tell of the same press; then comes that of another badge.
    await at.badges.advertise(tagOf(1), ['gw-17', 'gw-2'])
    await at.badges.click(tagOf(2))
    await until('the press of the other badge', async () =>
      (await at.recorded('badges')).includes(badgeOf(2)),
    )
    expect(await at.recorded('badges')).toEqual([badgeOf(1), badgeOf(2)])
  })

  test('kill -9 in the midst of thirty presses: each badge is heard once', async () => {
    const { acknowledged } = at.broker.deliveries
    const clicks = Promise.all(people.map((_, person) => at.badges.click(tagOf(person), { repeats: 2 })))
    await until('the first PUBACK', () => at.broker.deliveries.acknowledged > acknowledged)
    await at.program.kill()
    await clicks
    await at.start()
    await until(
      'a press of each badge',
      async () => new Set(await at.recorded('badges')).size >= people.length,
    )
    for (const { id } of await at.incidents()) await at.program.settled(id)
    expect((await at.recorded('badges')).sort()).toEqual(people.map((_, person) => badgeOf(person)).sort())
  })
})

describe('a phone, over the API', () => {
  const send = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${phoneToken}` }
    const init = { method: 'POST', headers, body: JSON.stringify(body) }
    const response = await fetch(at.program.url + path, init)
    return { status: response.status, body: (await response.json()) as object }
  }

  test('a press with a position inside an outlined place, sent again over a kill: one incident, there', async () => {
    const position = { latitude: 41.8807, longitude: -87.629, accuracyM: 8 }
    const press = { kind: 'man-down', key: 'press-1', position }
    const first = await send('/v1/presses', press)
    expect(first).toMatchObject({ status: 201, body: { duplicate: false } })
    expect(await send('/v1/presses', press)).toMatchObject({
      status: 201,
      body: { ...first.body, duplicate: true },
    })
    await at.restartAfterKill()
    expect(await send('/v1/presses', press)).toMatchObject({
      status: 201,
      body: { ...first.body, duplicate: true },
    })
    const { text } = await at.paged(/MAN DOWN.*Parking Deck/i)
    expect(text).toContain('by Home Care 2')
    // The kill may have met the page on its way: then REPEAT? takes the room of the figures.
    expect(text).toMatch(/#1, GPS 41\.88070|#1 REPEAT\?, GPS/)
    await at.isCompleteOnce(1)
    await at.isToldOnce()
  })

  test('a missed check-in is a duress press that tells where the person was going', async () => {
    const by = new Date(Date.now() + 3_000).toISOString()
    const checkIn = { by, address: '12 Oak St', note: 'big dog' }
    expect(await send('/v1/check-ins', checkIn)).toMatchObject({ status: 201, body: { device: 'phone' } })
    const page = await at.paged(/DURESS at 12 Oak St/)
    expect(page.at).toBeGreaterThanOrEqual(Date.parse(by))
    expect(page.text).toMatch(/by Home Care 2.*big dog/)
    await at.isCompleteOnce(1)
    await at.isToldOnce()
  })
})
