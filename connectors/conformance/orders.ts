import assert from 'node:assert/strict'
import type { Outcome } from '../../core/command.ts'
import { Bench } from './bench.ts'
import type { Case } from './kit.ts'
import { Random } from './random.ts'
import type { Behaviour, Peer, Stage, Subject, Trial } from './subject.ts'
import { pause, until } from './wait.ts'

/** Longer than the time-outs that a subject may set. */
const tooSlowMs = 1_000
/** So slow that it can be given up between two answers, ms. */
const slowMs = 100
const givenUp = 30
/** Exchanges after the one that acts at which an order is given up as well: the reading back, a second command. */
const stepsAfter = 4
/** What is on its way when an order ends reaches the peer within this, ms. */
const landingMs = 40

type Try = (bench: Bench, trial: Trial) => Promise<void>

/** Acts: an outcome for every order, and the truth about its effect. */
export const orderCases = (subject: Subject, { trials = [], peer }: Stage): Case[] => {
  /** Each trial on a stage of its own, all at once. */
  const forEach = (name: string, run: Try, which: (trial: Trial) => boolean = () => true): Case[] => {
    const chosen = trials.flatMap((trial, nth) => (which(trial) ? [nth] : []))
    if (chosen.length === 0) return []
    const one = (nth: number) =>
      Bench.with(subject, async (bench) => {
        const trial = bench.trials[nth] as Trial
        trial.prepare?.()
        await run(bench, trial)
      })
    return [{ name, run: async () => void (await Promise.all(chosen.map(one))) }]
  }
  const givenUpAtEach = (): Case[] => {
    const all = trials.flatMap(({ acts, preSteps = 0 }, nth) =>
      acts ? Array.from({ length: preSteps + stepsAfter }, (_, step) => [nth, step + 1] as const) : [],
    )
    if (all.length === 0) return []
    const one = ([nth, step]: readonly [number, number]) =>
      Bench.with(subject, (bench) => {
        const trial = bench.trials[nth] as Trial
        trial.prepare?.()
        return givenUpAt(bench, trial, step)
      })
    const name = 'an order that is given up before the bytes that act never acts'
    return [{ name, run: async () => void (await Promise.all(all.map(one))) }]
  }
  const isStateful = ({ capability }: Trial) =>
    subject.connector.can?.find(({ name }) => name === capability)?.stateful === true
  return [
    ...forEach('an order is done, with the proof that its capability demands', done),
    ...forEach('an order that comes again sets the same state', again, isStateful),
    ...forEach(
      'what the peer does not know is not tried again',
      unknown,
      (trial) => trial.unknown !== undefined,
    ),
    ...(trials.length > 0
      ? [{ name: 'many orders at once have an outcome each', run: () => many(subject) }]
      : []),
    ...(peer ? [...peerCases(forEach), ...givenUpAtEach()] : []),
  ]
}

const done: Try = async (bench, trial) => {
  const live = await bench.open()
  const before = asked(trial)
  const outcome = await bench.act(live, trial)
  assert.ok(outcome.ok, told(outcome))
  if (trial.acts) assert.equal(asked(trial), before + 1, 'the peer was asked once')
  if (trial.reached) assert.ok(trial.reached(), 'the peer is as ordered')
}

const again: Try = async (bench, trial) => {
  const live = await bench.open()
  for (let attempt = 1; attempt <= 2; attempt++) {
    const outcome = await bench.act(live, trial, { id: 'the same' })
    assert.ok(outcome.ok, told(outcome))
    assert.ok(trial.reached?.() ?? true, 'the peer is as ordered')
  }
}

const givenUpBefore: Try = async (bench, trial) => {
  const live = await bench.open()
  const before = asked(trial)
  const abort = new AbortController()
  abort.abort()
  const outcome = await bench.act(live, trial, { abort })
  assert.ok(!outcome.ok && outcome.failure.code === 'ABORTED' && outcome.effect === 'none', told(outcome))
  await pause(slowMs)
  assert.equal(asked(trial), before, 'the peer was asked all the same')
}

const givenUpAtRandom: Try = async (bench, trial) => {
  const live = await bench.open()
  const random = new Random(Date.now())
  for (let time = 0; time < givenUp; time++) {
    trial.prepare?.()
    const before = asked(trial)
    const abort = new AbortController()
    const timer = setTimeout(() => abort.abort(), random.below(8))
    const outcome = await bench.act(live, trial, { abort })
    clearTimeout(timer)
    await pause(landingMs)
    await honest(trial, before, outcome, 0)
  }
}

const unknown: Try = async (bench, trial) => {
  const live = await bench.open()
  const { output, args = trial.args } = trial.unknown ?? {}
  const address = output === undefined ? undefined : bench.connector.output?.parse(output)
  const outcome = await bench.act(live, trial, { args, ...(address === undefined ? {} : { address }) })
  assert.ok(!outcome.ok && outcome.failure.retry === 'never', told(outcome))
}

const closed: Try = async (bench, trial) => {
  const live = await bench.open()
  await bench.close(live, { silently: true })
  const before = asked(trial)
  const outcome = await bench.act(live, trial)
  assert.ok(!outcome.ok && outcome.effect === 'none', told(outcome))
  await pause(slowMs)
  assert.equal(asked(trial), before, 'the peer was asked all the same')
}

const many = (subject: Subject): Promise<void> =>
  Bench.with(subject, async (bench) => {
    const live = await bench.open()
    await Promise.all(
      [...bench.trials, ...bench.trials, ...bench.trials].map((trial) => bench.act(live, trial)),
    )
  })

const peerCases = (
  forEach: (name: string, run: Try, which?: (trial: Trial) => boolean) => Case[],
): Case[] => {
  const behaviours: readonly Behaviour[] = [
    { is: 'half-open' },
    { is: 'slow', ms: tooSlowMs },
    { is: 'garbage' },
    { is: 'wrong-answer' },
  ]
  return [
    ...forEach('an order that is given up before it starts does nothing', givenUpBefore),
    ...forEach('an order that is given up at any moment tells the truth about its effect', givenUpAtRandom),
    ...forEach('a closed link does nothing any more', closed),
    ...behaviours.flatMap((behaviour) =>
      forEach(
        `an order to a peer that is ${behaviour.is} has an outcome, and the next one works`,
        (bench, trial) => troubled(bench, trial, behaviour),
      ),
    ),
    ...forEach('an order to a peer that is not there has no effect', gone),
    ...forEach('an order during which the peer restarts has an outcome', restarted),
    ...forEach('an order during which the link closes has an outcome', closing),
  ]
}

const troubled = async (bench: Bench, trial: Trial, behaviour: Behaviour): Promise<void> => {
  const peer = bench.stage.peer as Peer
  const live = await bench.open()
  const before = asked(trial)
  peer.behave(behaviour)
  const outcome = await bench.act(live, trial)
  if (behaviour.is !== 'slow') assert.ok(!outcome.ok, `done, though the peer is ${behaviour.is}`)
  await honest(trial, before, outcome, behaviour.is === 'slow' ? behaviour.ms + slowMs : slowMs)
  peer.behave({ is: 'normal' })
  await works(bench, trial, live)
}

const gone: Try = async (bench, trial) => {
  const peer = bench.stage.peer as Peer
  const live = await bench.open()
  const before = asked(trial)
  peer.behave({ is: 'refusing' })
  await until(() => peer.openSockets === 0, 'the peer is gone')
  await pause(slowMs)
  const outcome = await bench.act(live, trial)
  assert.ok(!outcome.ok && outcome.effect === 'none', told(outcome))
  assert.equal(asked(trial), before)
  peer.behave({ is: 'normal' })
  await works(bench, trial, live)
}

const restarted: Try = async (bench, trial) => {
  const peer = bench.stage.peer as Peer
  const live = await bench.open()
  const before = asked(trial)
  peer.behave({ is: 'slow', ms: slowMs })
  const acting = bench.act(live, trial)
  await pause(slowMs / 2)
  const back = peer.reboot(slowMs)
  const outcome = await acting
  await back
  await honest(trial, before, outcome, 2 * slowMs)
  peer.behave({ is: 'normal' })
  trial.prepare?.()
  await works(bench, trial, live)
}

const closing: Try = async (bench, trial) => {
  const peer = bench.stage.peer as Peer
  const live = await bench.open()
  const before = asked(trial)
  peer.behave({ is: 'half-open' })
  const acting = bench.act(live, trial)
  await pause(slowMs / 2)
  await bench.close(live)
  const outcome = await acting
  assert.ok(!outcome.ok, 'done, though nobody answered')
  await honest(trial, before, outcome, slowMs)
}

/** At each exchange with a slow peer, before the bytes that act and after them. */
const givenUpAt = async (bench: Bench, trial: Trial, step: number): Promise<void> => {
  const live = await bench.open()
  bench.stage.peer?.behave({ is: 'slow', ms: slowMs })
  const before = asked(trial)
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), (step - 0.5) * slowMs)
  const outcome = await bench.act(live, trial, { abort })
  clearTimeout(timer)
  if (step <= (trial.preSteps ?? 0))
    assert.ok(!outcome.ok && outcome.effect === 'none', `given up at step ${step}: ${told(outcome)}`)
  await honest(trial, before, outcome, 3 * slowMs)
}

/** Effect none means that the act never reaches the peer, not later either. */
export const honest = async (
  trial: Trial,
  before: number,
  outcome: Outcome,
  lateMs: number,
): Promise<void> => {
  if (outcome.ok || outcome.effect === 'possible') return
  await pause(lateMs)
  assert.equal(asked(trial), before, `the peer got it, but the outcome says effect none: ${told(outcome)}`)
}

/** After trouble: on the same link, or on the next where this one is lost. */
const works = async (bench: Bench, trial: Trial, live: Parameters<Bench['alive']>[0]): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    const outcome = await bench.act(await bench.alive(live), trial)
    if (outcome.ok) return
    assert.ok(attempt < 3, `after the trouble: ${told(outcome)}`)
    await pause(2 * slowMs)
  }
}

const asked = (trial: Trial): number => trial.acts?.() ?? 0

const told = (outcome: Outcome): string => JSON.stringify(outcome)
