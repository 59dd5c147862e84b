import { describe, expect, test } from 'vitest'
import type { Order, Outcome } from '../../core/command.ts'
import type { Json } from '../../core/fact.ts'
import type { OpcuaServer } from '../../mocks/opcua-server/index.ts'
import type { Kept } from './fixtures/kept.ts'
import { onOneEngine, plain } from './fixtures/stage.ts'
import opcua, { type Output } from './index.ts'

const { engine, start, keep } = await onOneEngine()

const act = (kept: Kept, capability: string, output: Json, args: Json = {}): Promise<Outcome> => {
  const order: Order<Output, never> = {
    id: 'one',
    attempt: 1,
    address: opcua.output?.parse(output) as Output,
    args: args as never,
    signal: new AbortController().signal,
  }
  const acts = kept.link?.acts as unknown as {
    readonly [name: string]: (order: Order<Output, never>) => Promise<Outcome>
  }
  return acts[capability]?.(order) as Promise<Outcome>
}

describe('relays and doors', () => {
  const state = (server: OpcuaServer) => ({
    node: server.id('ED-W.State'),
    is: { unlocked: 2, locked: 1, lockdown: [5], 'held-open': 6 },
  })
  const method = (server: OpcuaServer, name: string) => ({
    call: server.id(`ED-W.${name}`),
    of: server.id('ED-W'),
  })

  test('a relay that does not move is not confirmed', async () => {
    const server = await start()
    const output = { relay: { node: server.id('Relay1') } }
    const kept = await keep({ config: plain(server), outputs: { output } })
    expect(await act(kept, 'relay.set', output, { on: true })).toEqual({
      ok: true,
      proof: 'confirmed',
      result: { on: true },
    })
    server.relayStuck(1)
    const outcome = await act(kept, 'relay.set', output, { on: false })
    expect(outcome).toMatchObject({ ok: false, failure: { code: 'UNCONFIRMED' }, effect: 'possible' })
  })

  test('a door that says yes and stays is not confirmed, one that is late is', async () => {
    const server = await start({ doors: { 'ED-W': { schedule: 'Unlocked' } } })
    const it = server.doors['ED-W']
    const door = {
      door: { state: state(server), secure: method(server, 'Secure'), release: method(server, 'Release') },
    }
    const kept = await keep({ config: plain(server), outputs: { door } })
    expect(await act(kept, 'door.state', door)).toMatchObject({ ok: true, result: { mode: 'unlocked' } })
    it?.sticks({ times: 1 })
    expect(await act(kept, 'door.secure', door)).toMatchObject({
      ok: false,
      failure: { code: 'UNCONFIRMED' },
    })
    it?.landsLate(1_000, { times: 1 })
    expect(await act(kept, 'door.secure', door)).toMatchObject({ ok: true, result: { mode: 'locked' } })
    const release = { from: 'secure', before: 'unlocked' }
    expect(await act(kept, 'door.release', door, release)).toMatchObject({
      ok: true,
      result: { mode: 'unlocked' },
    })
    it?.refuses({ times: 1 })
    expect(await act(kept, 'door.secure', door)).toMatchObject({
      ok: false,
      failure: { code: 'REFUSED' },
      effect: 'possible',
    })
    expect(await act(kept, 'door.lockdown', door)).toMatchObject({
      failure: { code: 'UNSUPPORTED', retry: 'never' },
    })
  })

  test.each([
    [{ node: 'Relay9' }, 'NOT_FOUND'],
    [{ node: 'Button1' }, 'REFUSED'],
    [{ node: 'Relay1', type: 'Int32' }, 'REFUSED'],
    [{ node: 'Relay1', type: 'Byte', on: 256 }, 'INVALID_ARGS'],
    [{ node: 'Heartbeat' }, 'INVALID_ARGS'],
  ])('%j is %s, and never tried again', async ({ node, ...more }, code) => {
    const server = await start()
    const output = { relay: { node: server.id(node), ...more } }
    const kept = await keep({ config: plain(server), outputs: {} })
    const outcome = await act(kept, 'relay.set', output, { on: true })
    expect(outcome).toMatchObject({ ok: false, failure: { code, retry: 'never' }, effect: 'none' })
  })

  test('a namespace may be named by its URI', async () => {
    const server = await start()
    const node = server.id('Relay1').replace(/^ns=1/, `nsu=${engine.namespace.namespaceUri}`)
    const kept = await keep({ config: plain(server) })
    expect(await act(kept, 'relay.set', { relay: { node } }, { on: true })).toMatchObject({ ok: true })
    const other = { relay: { node: 'nsu=urn:nobody;s=x' } }
    expect(await act(kept, 'relay.set', other, { on: true })).toMatchObject({
      failure: { code: 'NOT_FOUND', retry: 'never' },
    })
  })
})
