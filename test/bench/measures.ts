import { arrived, arrivedAll, ascending, percentile, taken } from './figures.ts'
import { Load, type Sent } from './load.ts'
import { cpuMs, now, type Part } from './process.ts'
import type { Stack } from './stack.ts'

/** Presses that come before the measured ones, at 50 a second: they pay for compiling code and opening connections. */
const warmUpSeconds = 2
const warmUp = 50 * warmUpSeconds
/** Of ten targets the one that hangs or refuses: neither the first nor the last that anybody tells. */
const odd = 4
/** Presses on their way at a time where the sustained rate is measured, and most of them. */
const atOnce = 100
const sustainedMax = 18_000
/** The storm, and how many of its presses have been acknowledged when the kill comes. */
const stormOf = 500
const killedAfter = 150
/** How long a target is down before the kill, s: what is meant for it waits. */
const downSeconds = 3

/** Figures of one measurement of one contender; all times in ms, but for names that end in S. */
export type Figures = Readonly<Record<string, number>>

/** A load on a contender that is warm. */
const warm = async (port: number, sink: Part): Promise<Load> => {
  const load = new Load(port)
  const sent = await load.steady(50, warmUpSeconds)
  await arrived(sink, sent.length)
  await sink.ask('reset')
  return load
}

export interface PaceSeconds {
  readonly steady: number
  readonly sustained: number
}

export const badgesOfPace = ({ steady }: PaceSeconds): number => warmUp + 20 * steady + stormOf + sustainedMax

type Whole = Awaited<ReturnType<typeof whole>>

/** How fast one contender is, in goes, between which others have theirs: what the machine does meanwhile meets all of them. */
export class Pace {
  readonly #load: Load
  readonly #sink: Part
  readonly #pids: readonly number[]
  readonly #steady: Whole[] = []
  #storm: Whole | null = null
  readonly #sustained: (Whole & { readonly complete: number; readonly ms: number; readonly cpu: number })[] =
    []
  #left = sustainedMax

  private constructor(load: Load, sink: Part, pids: readonly number[]) {
    this.#load = load
    this.#sink = sink
    this.#pids = pids
  }

  static async start(
    { port, pids }: { readonly port: number; readonly pids: readonly number[] },
    sink: Part,
  ): Promise<Pace> {
    return new Pace(await warm(port, sink), sink, pids)
  }

  /** 20 presses a second. */
  async steady(seconds: number): Promise<void> {
    this.#steady.push(await whole(this.#sink, await this.#load.steady(20, seconds)))
  }

  async storm(): Promise<void> {
    this.#storm = await whole(this.#sink, await this.#load.storm(stormOf))
  }

  /** As many as it can, with 100 on their way at a time. The first go does not count: code is still compiled. */
  async sustain(seconds: number): Promise<void> {
    const cpu = () => this.#pids.reduce((sum, pid) => sum + cpuMs(pid), 0)
    const before = cpu()
    const complete = async () => ((await this.#sink.ask('count')) as { complete: number }).complete
    const { sent, ...counted } = await this.#load.kept(atOnce, seconds, this.#left, complete)
    this.#left -= sent.length
    this.#sustained.push({ ...(await whole(this.#sink, sent)), ...counted, cpu: cpu() - before })
  }

  get figures(): Figures {
    const steady = ascending(this.#steady.flatMap(({ took }) => took))
    const storm = this.#storm as Whole
    const [, ...counted] = this.#sustained
    const all = [...this.#steady, storm, ...this.#sustained]
    return {
      p50: percentile(steady, 50),
      p99: percentile(steady, 99),
      stormPerSecond: (1_000 * storm.took.length) / storm.spanMs,
      stormP99: percentile(storm.took, 99),
      sustained: (1_000 * sum(counted, ({ complete }) => complete)) / sum(counted, ({ ms }) => ms),
      cpuPerPress: sum(counted, ({ cpu }) => cpu) / sum(counted, ({ took }) => took.length),
      refused: this.#load.refused,
      missing: sum(all, ({ missing }) => missing),
      doubled: sum(all, ({ doubled }) => doubled),
    }
  }

  end(): void {
    this.#load.end()
  }
}

const sum = <Of>(all: readonly Of[], of: (one: Of) => number): number =>
  all.reduce((total, one) => total + of(one), 0)

/** Waits for all of these presses: press to last, ascending; from the first press to the last arrival; what went wrong. */
const whole = async (sink: Part, sent: readonly Sent[]) => {
  await arrived(sink, sent.length)
  const presses = await taken(sink, sent)
  const complete = presses.filter(({ different }) => different === 10)
  const firstAt = Math.min(...presses.map(({ at }) => at))
  return {
    took: ascending(complete.map(({ at, lastAt }) => lastAt - at)),
    spanMs: Math.max(...complete.map(({ lastAt }) => lastAt)) - firstAt,
    missing: presses.reduce((sum, { different }) => sum + 10 - different, 0),
    doubled: presses.reduce((sum, { count, different }) => sum + count - different, 0),
  }
}

export const badgesOfCrash = warmUp + stormOf + 20 * downSeconds

/**
 * kill -9 in a storm, then started again at once; where Redis is spared once more while one target is down. Times are
 * from that start.
 */
export const crash = async (
  stack: Stack,
  sink: Part,
  spared: 'redis' | 'nothing',
  patienceMs: number,
): Promise<Figures> => {
  const load = await warm(stack.port, sink)
  const storm = load.storm(stormOf)
  while (load.acknowledged < warmUp + killedAfter && load.acknowledged + load.refused < warmUp + stormOf)
    await new Promise((resolve) => setImmediate(resolve))
  const startAgain = await stack.killed(spared)
  const inStorm = await again(startAgain, sink, await storm, patienceMs)

  if (spared === 'nothing') {
    load.end()
    return inStorm
  }
  await sink.ask(`refuse ${odd}`)
  const waiting = await load.steady(20, downSeconds)
  const startOnceMore = await stack.killed(spared)
  await sink.ask(`listen ${odd}`)
  const whileDown = await again(startOnceMore, sink, waiting, patienceMs)
  load.end()
  return {
    ...inStorm,
    downAcknowledged: whileDown.acknowledged,
    downCompleteS: whileDown.completeS,
    downLost: whileDown.lost,
  }
}

/** Starts it again and waits for what it had acknowledged. */
const again = async (
  start: () => Promise<void>,
  sink: Part,
  sent: readonly Sent[],
  patienceMs: number,
): Promise<Record<'acknowledged' | 'readyS' | 'completeS' | 'lost' | 'doubled', number>> => {
  const startedAt = now()
  await start()
  const readyAt = now()
  await arrivedAll(sink, sent, patienceMs)
  const presses = await taken(sink, sent)
  const completeAt = presses.map(({ firsts }) => Math.max(startedAt, ...firsts.map((at) => at ?? startedAt)))
  const lost = presses.filter(({ different }) => different < 10).length
  return {
    acknowledged: sent.length,
    readyS: (readyAt - startedAt) / 1_000,
    completeS: lost > 0 ? Number.POSITIVE_INFINITY : (Math.max(...completeAt) - startedAt) / 1_000,
    lost,
    doubled: presses.reduce((sum, { count, different }) => sum + count - different, 0),
  }
}

export interface TargetSeconds {
  /** Undisturbed, before and once more afterwards. */
  readonly calm: number
  readonly hanging: number
  readonly refusing: number
}

export const badgesOfTargets = ({ calm, hanging, refusing }: TargetSeconds): number =>
  warmUp + 20 * (2 * calm + hanging + refusing)

/** 20 presses a second, while one of ten targets takes requests and answers none; then while it refuses connections. */
export const oddTarget = async (port: number, sink: Part, seconds: TargetSeconds): Promise<Figures> => {
  const load = await warm(port, sink)
  const calmSent = await load.steady(20, seconds.calm)
  await arrived(sink, calmSent.length)
  const before = await taken(sink, calmSent)

  await sink.ask(`hang ${odd}`)
  const hangingSent = await load.steady(20, seconds.hanging)
  const answeringAt = now()
  const open = (await sink.ask(`answer ${odd}`)) as number
  await arrived(sink, hangingSent.length, 15_000)
  const hanging = await taken(sink, hangingSent)

  // Half of the undisturbed time comes afterwards: a program gets faster as it runs.
  const calmAgain = await load.steady(20, seconds.calm)
  await arrived(sink, calmAgain.length)
  const calm = [...before, ...(await taken(sink, calmAgain))]

  await sink.ask(`refuse ${odd}`)
  const refusingSent = await load.steady(20, seconds.refusing)
  const listeningAt = (await sink.ask(`listen ${odd}`)) as number
  await arrived(sink, refusingSent.length, 15_000)
  const refusing = await taken(sink, refusingSent)
  load.end()

  /** From when it was there again until it was told of all, s; infinite where it never was. */
  const allAfter = (presses: typeof calm, at: number) =>
    Math.max(0, ...presses.map(({ firsts }) => (firsts[odd] ?? Number.POSITIVE_INFINITY) - at)) / 1_000
  const missing = (presses: typeof calm) => presses.reduce((sum, { different }) => sum + 10 - different, 0)
  const calmP99 = percentile(othersTook(calm), 99)
  const hangingP99 = percentile(othersTook(hanging), 99)
  return {
    calmP99,
    hangingP99,
    hangingRatio: hangingP99 / calmP99,
    hangingOpen: open,
    hangingAllS: allAfter(hanging, answeringAt),
    hangingMissing: missing(hanging),
    refusingAllS: allAfter(refusing, listeningAt),
    refusingMissing: missing(refusing),
  }
}

/** From the press to each of the nine others, ascending; infinite where one was never told. */
const othersTook = (presses: Awaited<ReturnType<typeof taken>>): number[] => {
  const others = Array.from({ length: 10 }, (_, target) => target).filter((target) => target !== odd)
  return ascending(
    presses.flatMap(({ at, firsts }) =>
      others.map((target) => (firsts[target] ?? Number.POSITIVE_INFINITY) - at),
    ),
  )
}
