import assert from 'node:assert/strict'
import { Bench, type Live, quietMs } from './bench.ts'
import type { Case } from './kit.ts'
import type { Behaviour, Peer, Stage, Subject } from './subject.ts'
import { pause, until } from './wait.ts'

const cycles = 20
/** Longer than the time-outs that a subject may set. */
const slowMs = 1_000
/** A link that was told to go is gone, ms. */
const promptMs = 1_000
/** A peer that is back is found, ms. */
const foundMs = 2_000

/** Opening, losing, closing. */
export const lifeCases = (subject: Subject, { peer, trials = [], secrets }: Stage): Case[] => {
  const withBench = (name: string, run: (bench: Bench) => Promise<void>): Case => ({
    name,
    run: () => Bench.with(subject, run),
  })
  return [
    withBench('close is prompt, and closing again does nothing', async (bench) => {
      const live = await bench.open()
      await bench.close(live, { silently: true })
      await bench.close(live, { silently: true })
      await bench.close(live)
    }),
    withBench(`${cycles} times opened and closed leaves nothing behind`, async (bench) => {
      for (let cycle = 0; cycle < cycles; cycle++)
        await bench.close(await bench.open(), { silently: cycle % 2 === 0 })
    }),
    withBench('a signal that aborts ends the link', async (bench) => {
      const live = await bench.open()
      live.life.abort()
      await pause(quietMs)
      await bench.close(live)
    }),
    withBench('opening with a signal that has aborted is over at once', async (bench) => {
      const life = new AbortController()
      life.abort()
      await openedOrNot(bench, life)
    }),
    withBench('a probe of each output, and of the link, moves nothing', async (bench) => {
      const live = await bench.open()
      const asked = () => bench.trials.map((trial) => trial.acts?.() ?? 0)
      const before = asked()
      for (const output of [null, ...new Set(trials.map((trial) => trial.output))])
        await bench.probe(live, output, new AbortController().signal)
      assert.deepEqual(asked(), before)
      bench.expectNoPress()
    }),
    ...(Object.keys(secrets).length > 0 ? secretCases(withBench) : []),
    ...(peer ? peerCases(withBench) : []),
  ]
}

type WithBench = (name: string, run: (bench: Bench) => Promise<void>) => Case

const secretCases = (withBench: WithBench): Case[] => [
  withBench('a secret that is missing keeps the link from opening, and says so', async (bench) => {
    bench.credentials = 'missing'
    await assert.rejects(bench.open(), { code: 'SECRET_MISSING' })
  }),
  withBench('a wrong secret is refused, and not shown', async (bench) => {
    bench.credentials = 'wrong'
    try {
      const live = await bench.open()
      for (const trial of bench.trials) {
        const outcome = await bench.act(live, trial)
        const refused = !outcome.ok && outcome.failure.code === 'UNAUTHORIZED'
        assert.ok(refused && outcome.effect === 'none', JSON.stringify(outcome))
      }
      for (const button of bench.stage.buttons ?? []) {
        await button.press()
        await pause(quietMs)
        assert.equal(button.acknowledged?.() ?? false, false, 'a press without proof is acknowledged')
      }
      bench.expectNoPress()
    } catch (error) {
      if ((error as { code?: string }).code !== 'UNAUTHORIZED') throw error
    }
  }),
]

const behaviours: readonly Behaviour[] = [
  { is: 'refusing' },
  { is: 'half-open' },
  { is: 'slow', ms: slowMs },
  { is: 'garbage' },
  { is: 'wrong-answer' },
]

const peerCases = (withBench: WithBench): Case[] => [
  ...behaviours.map((behaviour) =>
    withBench(
      `opening to a peer that is ${behaviour.is} ends, and works once the peer does`,
      async (bench) => {
        const peer = bench.stage.peer as Peer
        peer.behave(behaviour)
        await openedOrNot(bench)
        await until(() => peer.openSockets === 0, 'no socket is left of an opening that is over')
        peer.behave({ is: 'normal' })
        await bench.reopen()
      },
    ),
  ),
  withBench('opening is given up at once when the signal aborts', async (bench) => {
    const peer = bench.stage.peer as Peer
    peer.behave({ is: 'half-open' })
    const life = new AbortController()
    const opened = openedOrNot(bench, life)
    await pause(50)
    const abortedAt = performance.now()
    life.abort()
    await opened
    assert.ok(performance.now() - abortedAt < promptMs, 'it took longer to give up')
    await until(() => peer.openSockets === 0, 'no socket is left of an opening that was given up')
  }),
  withBench('a peer that goes away is noticed, and found when it is back', async (bench) => {
    const peer = bench.stage.peer as Peer
    const live = await bench.open()
    peer.behave({ is: 'refusing' })
    await noticed(bench, live)
    peer.behave({ is: 'normal' })
    await found(bench, live)
  }),
  withBench('a peer that freezes is noticed', async (bench) => {
    const peer = bench.stage.peer as Peer
    const live = await bench.open()
    peer.behave({ is: 'half-open' })
    await noticed(bench, live)
    peer.behave({ is: 'normal' })
    await bench.alive(live)
  }),
  withBench('a peer that restarts is served again', async (bench) => {
    const peer = bench.stage.peer as Peer
    const live = await bench.open()
    await peer.reboot(50)
    await pause(quietMs)
    await found(bench, live)
  }),
  withBench('a probe of a peer that is not there rejects', async (bench) => {
    const peer = bench.stage.peer as Peer
    const live = await bench.open()
    if (!live.link.probe) return
    peer.behave({ is: 'refusing' })
    await assert.rejects(bench.probe(live, null, new AbortController().signal))
  }),
]

/** Opening may succeed, where the connector dials only to act, or reject; it must be over, with nothing left. */
const openedOrNot = async (bench: Bench, life = new AbortController()): Promise<void> => {
  try {
    await bench.close(await bench.open({ life }))
  } catch (error) {
    if ((error as Error).name !== 'BridgeError') throw error
  }
}

/** The peer needs a moment to be back; core asks again as well. */
const found = async (bench: Bench, live: Live): Promise<void> => {
  for (const end = performance.now() + foundMs; ; await pause(50)) {
    const again = await bench.alive(live)
    try {
      return await bench.probe(again, null, new AbortController().signal)
    } catch (error) {
      if (performance.now() > end) throw error
    }
  }
}

/** A link whose data can get too old says that it is lost before they are. */
const noticed = async (bench: Bench, live: Live): Promise<void> => {
  const staleAfterMs = bench.connector.staleAfterMs?.(bench.opening().config) ?? null
  if (staleAfterMs === null) return
  assert.ok(live.link.lost, 'a link whose data can get stale has `lost`')
  await until(() => live.lost, 'the link is lost', staleAfterMs + promptMs)
}
