import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { storeFiles } from '../../core/store/files.ts'
import { hold } from '../../core/store/fixtures/hold.ts'
import { entriesIn } from '../../core/trail/payload.ts'
import { type Badges, badgesAt } from '../../mocks/badges/index.ts'
import { type Dc09Panel, dc09Panel, type PanelOptions } from '../../mocks/dc09-panel/index.ts'
import type { Received } from '../../mocks/mock.ts'
import { type Mosquitto, startMosquitto } from '../../mocks/mosquitto/index.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { freePort, newDir, Program, rowsIn, until } from './program.ts'

/** Key of the panel with the account 0809, AES-256. */
const panelKey = Buffer.alloc(32, 7)
export const phoneToken = 'only-for-this-test'
/** Who carries the badges, each with the tag of the same number. */
export const people = ['Ada Lund', 'Ben Ortiz', ...Array.from({ length: 28 }, (_, n) => `Nurse ${n + 3}`)]
export const tagOf = (person: number): string => `d346-${1_000 + person}`
/** What each incident wants at once: a page to each of two groups. */
const groups = ['100', '200']

/** The program with a keypad, badges and a phone, and with pagers that tell what was responded to. */
export class Hearing {
  readonly pager: SnppPager
  readonly broker: Mosquitto
  readonly badges: Badges
  readonly program: Program
  readonly #panelPort: number
  readonly #panels: Dc09Panel[] = []

  private constructor(pager: SnppPager, broker: Mosquitto, panelPort: number, dir: string) {
    this.pager = pager
    this.broker = broker
    this.badges = badgesAt({ port: broker.brokerPort })
    this.#panelPort = panelPort
    const rows = people.map((person, n) => `${tagOf(n)},${person},RN`)
    writeFileSync(join(dir, 'badges.csv'), ['tag,person,job', ...rows, ''].join('\n'))
    const env = { PANEL_KEY: panelKey.toString('hex'), PHONE_TOKEN: phoneToken }
    this.program = new Program(site({ pagers: pager.port, broker: broker.port, panels: panelPort }), {
      dir,
      env,
    })
  }

  /** Nothing of the program runs yet. */
  static async prepare(dir = newDir()): Promise<Hearing> {
    const [pager, broker] = await Promise.all([startSnppPager({ pagers: groups }), startMosquitto()])
    return new Hearing(pager, broker, await freePort(), dir)
  }

  /** Starts the program, again too, and waits for its links. */
  async start(): Promise<void> {
    await this.program.start()
    await Promise.all(['panels', 'badges', 'pagers'].map((name) => this.program.link(name)))
  }

  async restartAfterKill(): Promise<void> {
    await this.program.kill()
    await this.start()
  }

  /** After the program has ended. */
  async close(): Promise<void> {
    await Promise.all([...this.#panels.map((panel) => panel.close()), this.badges.close()])
    await Promise.all([this.broker.close(), this.pager.close()])
  }

  /** A panel, by default the keypad with the account that has a key. */
  panel(options: Omit<PanelOptions, 'port'> = { account: '0809', key: panelKey }): Dc09Panel {
    const panel = dc09Panel({ port: this.#panelPort, ...options })
    this.#panels.push(panel)
    return panel
  }

  async incidents(): Promise<{ id: string; kind: string; number: number }[]> {
    return (await this.program.get('/v1/incidents')).body.incidents
  }

  /** The text of a page to security that fits. */
  async paged(text: RegExp): Promise<{ at: number; text: string }> {
    const { at, detail } = await this.pager.journal.expect(
      'page',
      (page) => page.id === groups[0] && text.test(page.text),
      { withinMs: 20_000 },
    )
    return { at, text: String(detail['text']) }
  }

  /** What is recorded of a connector, in its order: the devices. */
  async recorded(connector: string): Promise<(string | null)[]> {
    await this.program.filed()
    const rows = this.#rows(`SELECT body FROM fact WHERE source = '${connector}' ORDER BY n`)
    return rows.map(({ body }) => JSON.parse(body).source.device)
  }

  /** What the broker waits for: delivered with QoS 1, and not acknowledged. */
  get unacknowledged(): number {
    return this.broker.deliveries.delivered - this.broker.deliveries.acknowledged
  }

  /** Another badge is heard and acknowledged, so that what was told before it has been read as well. */
  async othersAreAcknowledged(): Promise<void> {
    const { acknowledged } = this.broker.deliveries
    await this.badges.advertise(tagOf(people.length - 1))
    await until('the PUBACK of another badge', () => this.broker.deliveries.acknowledged > acknowledged)
  }

  /** Starts it again with something else in the place of its journal, so that each press waits for the file. */
  async restartWithoutJournal(): Promise<void> {
    await this.program.end()
    const journal = join(this.program.data, 'journal')
    rmSync(journal)
    mkdirSync(journal)
    await this.start()
  }

  /** While somebody else writes the file nothing can be recorded without a journal, until what this returns is called; the store waits 2 s for that. */
  occupyStore(): () => void {
    return hold(join(this.program.data, 'duress.db'))
  }

  /** There are so many incidents, each with all its commands, and each of these with one receipt, in its row and on the trail. */
  async isCompleteOnce(count: number): Promise<void> {
    const all = await until(`${count} incidents`, async () => {
      const known = await this.incidents()
      return known.length >= count && known
    })
    expect(all).toHaveLength(count)
    for (const { id } of all) expect(await this.program.settled(id)).toHaveLength(groups.length)
    const receipts = await until('all receipts are on the trail', () => {
      const written = this.#receipts()
      return written.length >= count * groups.length && written
    })
    expect(receipts).toHaveLength(count * groups.length)
    expect(new Set(receipts).size).toBe(receipts.length)
  }

  /** Each group was paged of each incident, and again only where a kill met the page in flight, which it then says. */
  async isToldOnce(): Promise<void> {
    for (const { number } of await this.incidents())
      for (const group of groups) {
        const isIts = ({ what, detail }: Received) =>
          what === 'page' &&
          detail['id'] === group &&
          new RegExp(`#${number}\\b`).test(String(detail['text']))
        const [first, ...more] = this.pager.journal.all
          .filter(isIts)
          .map(({ detail }) => String(detail['text']))
        expect(first).toBeDefined()
        expect(more.filter((text) => !text.includes('REPEAT?'))).toEqual([])
      }
  }

  /** The commands of all receipts on the trail. */
  #receipts(): string[] {
    return this.#rows('SELECT payload FROM trail')
      .flatMap(({ payload }) => entriesIn(payload) as any[])
      .filter(({ what }) => what === 'receipt')
      .map(({ command }) => command)
  }

  /** Of all files: after an error of the disk the store goes on in another one. */
  #rows(sql: string): any[] {
    return storeFiles(this.program.data).flatMap((file) => rowsIn(file, sql))
  }
}

const site = (ports: { pagers: number; broker: number; panels: number }) => ({
  site: { name: 'Heard', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: {
    house: {
      level: 'building',
      in: {
        ed: { level: 'unit', name: 'Emergency', in: { hall: { level: 'zone', name: 'ED Hall' } } },
        bank: { level: 'unit', name: 'Cash Desk' },
      },
    },
    parking: {
      level: 'zone',
      name: 'Parking Deck',
      outline: [
        [41.88, -87.63],
        [41.88, -87.628],
        [41.8815, -87.628],
        [41.8815, -87.63],
      ],
    },
  },
  connectors: {
    panels: {
      type: 'sia-dc09',
      listen: `127.0.0.1:${ports.panels}`,
      accounts: { '0809': { key: { env: 'PANEL_KEY' }, users: { '12': 'Tess Teller' } } },
    },
    badges: {
      type: 'mqtt',
      url: `mqtt://127.0.0.1:${ports.broker}`,
      profile: 'kontakt',
      areas: { 'gw-17': { place: 'house/ed/hall', precision: 'zone' } },
    },
    phones: { type: 'mobile' },
    pagers: { type: 'snpp', host: '127.0.0.1', port: ports.pagers },
  },
  devices: {
    'teller-code': { connector: 'panels', input: { account: '0809', user: 12 }, place: 'house/bank' },
    badge: {
      from: 'badges.csv',
      connector: 'badges',
      input: { id: '{tag}' },
      person: '{person}',
      role: '{job}',
    },
    phone: {
      connector: 'phones',
      input: { id: '3' },
      person: 'Home Care 2',
      token: { env: 'PHONE_TOKEN' },
    },
  },
  responders: {
    security: { page: { connector: 'pagers', id: groups[0], perceptible: 'vibrate' } },
    supervisor: { page: { connector: 'pagers', id: groups[1], perceptible: 'vibrate' } },
  },
  plans: {
    all: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: ['security', 'supervisor'] } }] }] },
  },
})
