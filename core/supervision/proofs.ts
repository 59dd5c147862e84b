import type { Clock, Timer } from '../clock.ts'
import type { Json } from '../fact.ts'
import type { Page } from '../incident/book.ts'
import type { Register } from '../register.ts'
import type { Site } from '../site/site.ts'
import type { RegisterRow } from '../store/port.ts'
import type { Entry } from '../trail/entry.ts'
import type { Observed, Proof, ProofWay, Tested } from './records.ts'

/** Outputs that are kept of one proof; a hundred pagers prove no more. */
const outputsMax = 20
/** Of a real press the first ones will do: its incident has the receipts of all. */
const realOutputsMax = 3
/** What real presses prove is written together, so long after the first of them, ms. */
const writeAfterMs = 1_000
/** As many are written at once at most: a thousand would hold up a commit that presses wait for. */
const writeMax = 50

/** One row that somebody brings from a list of their own. */
export interface Brought {
  readonly device: string
  readonly at: number
  readonly by: string
  readonly note: string
}

/** The test register: which device was proven when, by whom, and by which outputs. */
export class Proofs {
  readonly #clock: Clock
  readonly #register: Register
  readonly #site: Site
  /** What real presses have proven and is not written yet. */
  readonly #proven: { readonly row: RegisterRow; readonly entry: Entry }[] = []
  #timer: Timer | null = null

  constructor(parts: { clock: Clock; register: Register; site: Site }) {
    this.#clock = parts.clock
    this.#register = parts.register
    this.#site = parts.site
  }

  of(device: string): Tested | undefined {
    return this.#register.get<Tested>('test', device)
  }

  /**
   * Everything that was to happen at once for a press has ended. With every output observed the device is proven;
   * returns why it is not, null when it is. Presses that came by another way than the device's own prove nothing.
   */
  ended(page: Page, by: string): string | null {
    const { incident, openedBy } = page
    const device = this.#site.devices.get(openedBy?.source.device ?? '')
    if (!openedBy || !device) return 'the press is not that of a configured device'
    const how = incident.mode === 'walk-test' ? 'walk-test' : incident.drill ? 'drill' : 'real'
    if (openedBy.source.connector !== device.connector)
      return this.#fail(page, device.name, how, by, `the press did not come by ${device.connector}`)
    const bad = page.ended.filter(({ receipt }) => receipt.end !== 'done')
    const why =
      page.first > 0
        ? `no receipt yet of ${page.first} commands`
        : page.ended.length === 0
          ? 'nothing was to be sent at once'
          : bad.map(({ command, receipt }) => `${command.capability} ${command.target}: ${receipt.why}`)[0]
    if (why !== undefined) return this.#fail(page, device.name, how, by, why)
    const kept = page.ended.slice(0, how === 'real' ? realOutputsMax : outputsMax)
    const outputs = kept.map(
      ({ command: { target, capability }, receipt: { proof } }): Observed => ({
        target,
        capability,
        proof: proof ?? 'sent',
      }),
    )
    this.#prove(device.name, { at: openedBy.receivedAt, by, how, outputs }, incident.id)
    return null
  }

  /** Takes in rows of somebody's own list, all at once; what is newer here stays. Resolves when it is on disk, or known not to be. */
  async bring(rows: readonly Brought[]): Promise<{ taken: number; older: number; recorded: boolean }> {
    const newest = new Map<string, Brought>()
    for (const row of rows) if (row.at > (newest.get(row.device)?.at ?? -1)) newest.set(row.device, row)
    const taken = [...newest.values()].filter(({ device, at }) => at > (this.of(device)?.proof?.at ?? -1))
    const older = rows.length - taken.length
    if (taken.length === 0) return { taken: 0, older, recorded: true }
    const committed = await this.#register.set(
      taken.map(({ device, at, by, note }) => ({
        kind: 'test',
        name: device,
        body: testedOf({ at, by, how: 'manual', outputs: [], ...(note === '' ? {} : { note }) }),
      })),
      taken.map(({ device, by, note }) => ({
        what: 'test',
        incident: null,
        device,
        proven: true,
        how: 'manual',
        by,
        words: note,
      })),
    )
    return { taken: taken.length, older, recorded: committed.recorded }
  }

  /** Writes down what real presses have proven since. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    const proven = this.#proven.splice(0)
    if (proven.length === 0) return
    void this.#register.set(
      proven.map(({ row }) => row),
      proven.map(({ entry }) => entry),
      { waits: false },
    )
  }

  /** In a storm each press would otherwise cost another row of the trail, for something that can wait. */
  #later(device: string, body: Json, entry: Entry): void {
    const row = { kind: 'test', name: device, body }
    this.#register.put(row)
    this.#proven.push({ row, entry })
    if (this.#proven.length >= writeMax) this.flush()
    else this.#timer ??= this.#clock.after(writeAfterMs, () => this.flush())
  }

  #prove(device: string, proof: Proof, incident: string): void {
    const words = proof.outputs.map(({ capability, target, proof: by }) => `${capability} ${target} (${by})`)
    const entry: Entry = {
      what: 'test',
      incident,
      device,
      proven: true,
      how: proof.how,
      by: proof.by,
      words: words.join(', '),
    }
    if (proof.how === 'real') this.#later(device, testedOf(proof), entry)
    else this.#write(device, testedOf(proof), entry)
  }

  /** Only who tests wants to know that a test failed; of a real press its receipts say it. */
  #fail({ incident }: Page, device: string, how: ProofWay, by: string, why: string): string {
    if (how !== 'walk-test') return why
    const failed = { at: this.#clock.now(), by, why }
    const body = { proof: this.of(device)?.proof ?? null, failed } as unknown as Json
    const words = `NOT proven: ${why}`
    this.#write(device, body, { what: 'test', incident: incident.id, device, proven: false, how, by, words })
    return why
  }

  #write(device: string, body: Json, entry: Entry): void {
    void this.#register.set([{ kind: 'test', name: device, body }], [entry], {
      waits: false,
      incident: entry.incident,
    })
  }
}

const testedOf = (proof: Proof): Json => ({ proof, failed: null }) as unknown as Json
