import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Json } from '../../core/fact.ts'
import { Engine, type OpcuaServer } from '../../mocks/opcua-server/index.ts'
import { Kept, until } from './fixtures/kept.ts'
import { onOneEngine, pause, plain, quick } from './fixtures/stage.ts'
import opcua from './index.ts'

const { engine, closing, start, keep } = await onOneEngine()
const folder = await mkdtemp(join(tmpdir(), 'duress-bridge-opcua-test-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('what users ask for', () => {
  test('row 12: what is Bad, Uncertain or lost is unknown, never "not pressed"', async () => {
    const server = await start()
    const kept = await keep({
      config: plain(server),
      inputs: {
        button: { node: server.id('Button1') },
        trusting: { node: server.id('Button2'), uncertain: 'good' },
      },
    })
    await until(() => kept.last('button')?.quality === 'good', 'it is known')
    for (const quality of ['bad', 'uncertain'] as const) {
      server.qualify('Button1', quality)
      server.qualify('Button2', quality)
      await until(() => kept.last('button')?.quality === 'unknown', `unknown while ${quality}`)
      const from = kept.notes.length
      await pause(500)
      expect(
        kept.notes.slice(from).filter(({ device, quality: is }) => device === 'button' && is === 'good'),
      ).toEqual([])
      expect(kept.last('trusting')?.quality).toBe(quality === 'bad' ? 'unknown' : 'good')
      server.qualify('Button1', 'good')
      server.qualify('Button2', 'good')
      await until(() => kept.last('button')?.quality === 'good', 'it is known again')
    }
    server.behave({ is: 'half-open' })
    await until(() => kept.last('button')?.quality === 'unknown', 'unknown once nobody answers', 4_000)
    await until(() => kept.whys.length > 0, 'the link is lost', 4_000)
    const from = kept.notes.length
    await pause(500)
    expect(kept.notes.slice(from).filter(({ quality }) => quality === 'good')).toEqual([])
    expect(kept.presses('button')).toBe(0)
    server.behave({ is: 'normal' })
    await until(() => kept.last('button')?.quality === 'good', 'and known when it is back')
  })

  test('row 15: a cable that is pulled for 20 s: all is monitored again, and what was pressed meanwhile is told', async () => {
    const server = await start({ alarms: ['Duress'] })
    const kept = await keep({
      config: plain(server, {}),
      inputs: {
        plain: { node: server.id('Button1') },
        counted: { node: server.id('Button2'), counter: server.id('Counter2') },
        latched: { node: server.id('Latched3'), latch: { reset: server.id('Reset3') } },
        condition: { event: { notifier: server.id(), condition: 'Duress' } },
      },
    })
    const cutAt = performance.now()
    server.behave({ is: 'half-open' })
    await until(() => kept.whys.length > 0, 'known to be dead', 10_000)
    expect(performance.now() - cutAt, 'a dead device is known in time').toBeLessThan(10_000)
    await server.press(2, { forMs: 10 })
    await server.press(2, { forMs: 10 })
    await server.press(3, { forMs: 10 })
    server.alarm('Duress').raise()
    server.alarm('Duress').clear()
    await pause(20_000 - (performance.now() - cutAt))
    server.behave({ is: 'normal' })
    const backAt = performance.now()
    await until(
      () => kept.presses('counted') === 2 && kept.presses('latched') === 1 && kept.presses('condition') === 1,
      'what was pressed during the cut is told',
    )
    await server.press(1)
    await until(() => kept.presses('plain') === 1, 'the next press is seen')
    expect(performance.now() - backAt, 'within 5 s').toBeLessThan(5_000)
    await pause(300)
    expect(kept.presses('counted')).toBe(2)
    expect(kept.presses('latched')).toBe(1)
    expect(kept.presses('condition')).toBe(1)
  })

  test.each(['deleted', 'muted'] as const)(
    'row 16: a session that lives on, its subscription %s, is noticed, and nothing is missed',
    async (how) => {
      const server = await start()
      const kept = await keep({
        config: plain(server),
        inputs: { counted: { node: server.id('Button1'), counter: server.id('Counter1') } },
      })
      server.losesSubscriptions(how)
      await server.press(1, { forMs: 10 })
      await until(() => kept.whys.length > 0, 'the loss is noticed', 5_000)
      await until(() => kept.presses('counted') === 1, 'the press is told by the next subscription')
      expect(server.subscriptions).toBe(1)
    },
  )

  test('row 17: a queue that is too short makes a press, not silence', async () => {
    const server = await start()
    const kept = await keep({
      config: plain(server, { timeout: '10s', watch: '10s', queue: 20 }),
      inputs: { button: { node: server.id('Button1') } },
    })
    await pause(200)
    // The server has nothing to answer with, and gathers 30 changes where 20 have room.
    server.behave({ is: 'slow', ms: 2_500 })
    for (let change = 0; change < 18; change++) await server.press(1, { forMs: 60 }).then(() => pause(60))
    const overflow = () => kept.facts.find(({ raw }) => (raw as { overflow?: boolean }).overflow)
    await until(() => overflow() !== undefined, 'the overflow is a press', 8_000)
    expect(overflow()).toMatchObject({ is: 'press', phase: 'active', device: 'button' })
  })

  test('row 17: every item asks for a queue of 20 and more, and keeps its beginning', async () => {
    const server = await start()
    await keep({ config: plain(server), inputs: { button: { node: server.id('Button1') } } })
    expect(server.queues).toEqual([{ queueSize: 50, discardOldest: false }])
    expect(opcua.config.safeParse({ ...plain(server), queue: 19 }).success).toBe(false)
  })

  describe('row 18: certificates', () => {
    const fingerprint = createHash('sha256').update(engine.certificate).digest('hex')
    const secured = (
      server: OpcuaServer,
      more: { readonly [field: string]: Json },
      policy = 'Basic256Sha256',
    ) => plain(server, { ...quick, security: { policy }, pki: join(folder, 'own'), ...more })

    test('one that is not known is refused, with its fingerprint and what to do', async () => {
      const server = await start()
      const refused = Kept.open({ config: secured(server, { fingerprints: ['00'.repeat(32)] }) })
      await expect(refused).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
      await expect(refused).rejects.toThrow(fingerprint)
      await expect(refused).rejects.toThrow('duress-bridge trust')
      await until(() => server.openSockets === 0, 'nothing is left')
      expect(server.sessions, 'and it never got as far as a session').toBe(0)
    })

    test('an empty trust folder trusts nobody, one with the certificate trusts it, in PEM or DER', async () => {
      const server = await start()
      const trust = join(folder, 'trusted')
      const config = secured(server, { trust })
      await expect(Kept.open({ config })).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
      const { pin } = await import('./trust.ts')
      const { pemOf } = await import('./pki.ts')
      await pin(trust, { fingerprint, pem: pemOf(engine.certificate), subject: '', validTo: '' })
      await keep({ config })
      const ders = join(folder, 'ders')
      await pin(ders, { fingerprint: 'other', pem: 'no certificate', subject: '', validTo: '' })
      await writeFile(join(ders, 'plc.der'), engine.certificate)
      await keep({ config: secured(server, { trust: ders }) })
    })

    test.each([
      ['Basic256Sha256', 'Sign'],
      ['Aes128_Sha256_RsaOaep', 'SignAndEncrypt'],
      ['Aes256_Sha256_RsaPss', 'SignAndEncrypt'],
    ])('%s with %s works', async (policy, mode) => {
      const server = await start()
      const kept = await keep({
        config: secured(server, { fingerprints: [fingerprint], security: { policy, mode } }),
        inputs: { button: { node: server.id('Button1') } },
      })
      await server.press(1)
      await until(() => kept.presses('button') === 1, 'a press comes through')
    })

    test('a server that does not know us refuses, and says who has to trust whom', async () => {
      const strict = await closing(Engine.start({ trustsClients: false }))
      const server = await start({ engine: strict })
      const own = createHash('sha256').update(strict.certificate).digest('hex')
      const refused = Kept.open({ config: secured(server, { fingerprints: [own] }) })
      await expect(refused).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    })

    test('in the clear only when it is written in so many words', () => {
      expect(opcua.config.safeParse({ url: 'opc.tcp://plc:4840' }).success).toBe(false)
      expect(opcua.config.safeParse({ url: 'opc.tcp://plc:4840', security: {} }).success).toBe(false)
      const bare = { url: 'opc.tcp://plc:4840', security: { policy: 'Basic256Sha256' }, pki: 'own' }
      expect(opcua.config.safeParse(bare).success, 'nobody is trusted').toBe(false)
      expect(opcua.config.safeParse({ ...bare, trust: 'trusted' }).success).toBe(true)
    })
  })

  test('row 19: subscribing again makes neither duplicates nor second items', async () => {
    const server = await start()
    const kept = await keep({ config: plain(server), inputs: { button: { node: server.id('Button1') } } })
    await server.press(1, { hold: true })
    await until(() => kept.presses('button') === 1, 'the press is seen')
    for (let time = 1; time <= 5; time++) {
      await server.reboot(20)
      await until(() => kept.opened === time + 1, 'the link is up again')
    }
    await pause(300)
    expect(kept.presses('button'), 'still the same press').toBe(1)
    expect(server.subscriptions).toBe(1)
    expect(server.queues).toHaveLength(1)
    server.release(1)
    await until(() => kept.facts.some((fact) => fact.is === 'press' && fact.phase === 'restored'), 'its end')
    await server.press(1)
    await until(() => kept.presses('button') === 2, 'and the next one')
  })

  test.each(['garbage', 'wrong-answer', 'half-open', 'refusing'] as const)(
    'row 20: one server that is %s harms no other link',
    async (is) => {
      const [bad, good] = [await start(), await start()]
      const inputs = (server: OpcuaServer) => ({ button: { node: server.id('Button1') } })
      const [worse, well] = await Promise.all([
        keep({ config: plain(bad), inputs: inputs(bad) }),
        keep({ config: plain(good), inputs: inputs(good) }),
      ])
      bad.behave({ is })
      for (let press = 1; press <= 3; press++) {
        await good.press(1)
        await until(() => well.presses('button') === press, 'the other goes on')
        // Longer than a sample, or the server never sees that it was let go.
        await pause(150)
      }
      await until(() => worse.whys.length > 0, 'the bad one is noticed')
      expect(well.whys).toEqual([])
      expect(worse.presses('button')).toBe(0)
    },
  )
})

describe('the link', () => {
  test('a heartbeat press goes round by the variable, and only ours counts', async () => {
    const server = await start()
    const kept = await keep({ config: plain(server, { ...quick, heartbeat: server.id('Heartbeat') }) })
    server.set('Heartbeat', 'of somebody else')
    await kept.link?.beat?.('mark-1', new AbortController().signal)
    expect(kept.facts).toMatchObject([{ is: 'press', heartbeat: 'mark-1', device: null, from: 'heartbeat' }])
    const without = await keep({ config: plain(server) })
    expect(without.link?.beat).toBeUndefined()
  })

  test('an input that is not there is unknown, the others go on, and it is found when it comes', async () => {
    const server = await start()
    const inputs = { there: { node: server.id('Button1') }, gone: { node: server.id('Later') } }
    const kept = await keep({ config: plain(server), inputs })
    await until(
      () => kept.last('there')?.quality === 'good' && kept.last('gone')?.quality === 'unknown',
      'each for itself',
    )
    await expect(kept.link?.probe?.(null, new AbortController().signal)).rejects.toThrow('Later')
    await server.press(1)
    await until(() => kept.presses('there') === 1, 'the others go on')
    server.add('Later')
    await until(() => kept.last('gone')?.quality === 'good', 'found when it comes', 8_000)
  })

  test('what the node holds can not be compared: unknown, and said so', async () => {
    const server = await start()
    const kept = await keep({
      config: plain(server),
      inputs: { text: { node: server.id('Heartbeat'), when: 3 } },
    })
    await until(() => kept.last('text')?.quality === 'unknown', 'unknown')
    expect(kept.test.lines.some(({ text }) => text.includes("can't be compared"))).toBe(true)
  })

  test('probe says the shortest press that it is sure to see', async () => {
    const server = await start()
    const kept = await keep({ config: plain(server), inputs: { button: { node: server.id('Button1') } } })
    const said = await kept.link?.probe?.(null, new AbortController().signal)
    expect(said).toEqual({ subscribed: 1, tellsEveryMs: 50, surePressMs: 75 })
  })

  test('a policy that the server does not have is named, with those that it has', async () => {
    const server = await start()
    const config = plain(server, { ...quick, security: { policy: 'None' } })
    server.behave({ is: 'refusing' })
    await expect(Kept.open({ config })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})
