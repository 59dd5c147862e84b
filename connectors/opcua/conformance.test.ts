import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import type { Json } from '../../core/fact.ts'
import { Engine, type OpcuaServer, startOpcuaServer } from '../../mocks/opcua-server/index.ts'
import { type Button, cases, type Subject, type Trial } from '../conformance/kit.ts'
import opcua from './index.ts'

/** Longer than sampling and half of it; what has a counter or a latch may be shorter. */
const fingerMs = 120

const user = { name: 'bridge', password: 'Qm7"ü€&4 zx' }

// An address space takes 0.3 s and 25 MB: the panels of all stages share one. Each has a port of its own.
const engine = await Engine.start()
const guarded = await Engine.start({ user })
const pki = await mkdtemp(join(tmpdir(), 'duress-bridge-pki-'))
afterAll(async () => {
  await Promise.all([engine.close(), guarded.close()])
  await rm(pki, { recursive: true, force: true })
})

const plainly = { security: { policy: 'None' } }

/** What one subject sets up; a config in which too much is required is seldom varied into another good one. */
type Setting = (server: OpcuaServer) => {
  config?: { readonly [field: string]: Json }
  inputs?: { readonly [device: string]: Json }
  outputs?: { readonly [device: string]: Json }
  trials?: readonly Trial[]
  buttons?: readonly Button[]
  secrets?: { readonly [env: string]: string }
}

const subject = (name: string, setting: Setting, shared: Engine = engine): Subject => ({
  name,
  connector: opcua,
  start: async () => {
    const server = await startOpcuaServer({
      engine: shared,
      alarms: ['Duress'],
      doors: { 'ED-W': { schedule: 'Unlocked' } },
    })
    const { config = plainly, inputs = {}, outputs = {}, secrets = {}, ...rest } = setting(server)
    return {
      opening: (port) => ({
        config: { url: `opc.tcp://127.0.0.1:${port}/UA`, watch: '200ms', timeout: '800ms', ...config },
        inputs,
        outputs,
      }),
      secrets,
      peer: server,
      close: () => server.close(),
      ...rest,
    }
  },
})

/** A door with these of its methods. */
const door = (server: OpcuaServer, ...methods: readonly string[]): Json => ({
  door: {
    state: { node: server.id('ED-W.State'), is: { locked: 1, unlocked: 2, lockdown: 5 } },
    ...Object.fromEntries(
      methods.map((method) => [
        method.toLowerCase(),
        { call: server.id(`ED-W.${method}`), of: server.id('ED-W') },
      ]),
    ),
  },
})

const asked = (server: OpcuaServer, what: string, name: string, is: string) => () =>
  server.journal.all.filter((one) => one.what === what && one.detail[name] === is).length

const relay = (server: OpcuaServer): Trial => ({
  capability: 'relay.set',
  output: 'relay',
  args: { on: true },
  acts: asked(server, 'write', 'node', 'Relay1'),
  prepare: () => server.set('Relay1', false),
  reached: () => server.get('Relay1') === true,
  unknown: { output: { relay: { node: server.id('Relay99') } } },
})

const doors = (server: OpcuaServer): Trial[] => {
  const it = server.doors['ED-W'] as NonNullable<(typeof server.doors)[string]>
  const call = (method: string) => ({
    output: 'door',
    acts: asked(server, 'call', 'method', method),
  })
  const state = { node: server.id('ED-W.State'), is: { locked: 1 } }
  const unknown = (act: string) => ({
    output: {
      door: {
        state,
        [act]: { call: server.id('ED-W.Nothing'), of: server.id('ED-W') },
        ...(act !== 'release' && { release: { write: server.id('Relay2'), value: false } }),
      },
    },
  })
  return [
    {
      ...call('Secure'),
      capability: 'door.secure',
      args: {},
      prepare: () => it.become('Unlocked'),
      reached: () => it.mode === 'Locked',
      unknown: unknown('secure'),
    },
    {
      ...call('Lockdown'),
      capability: 'door.lockdown',
      args: {},
      prepare: () => it.become('Unlocked'),
      reached: () => it.mode === 'LockedDown',
      unknown: unknown('lockdown'),
    },
    {
      ...call('Release'),
      capability: 'door.release',
      args: { from: 'lockdown', before: 'unlocked' },
      prepare: () => it.become('LockedDown'),
      reached: () => it.mode === 'Unlocked',
      unknown: unknown('release'),
    },
    {
      capability: 'door.state',
      output: 'door',
      args: {},
      unknown: { output: { door: { state: { node: server.id('Nothing'), is: {} } } } },
    },
  ]
}

const plain = (server: OpcuaServer): Button => ({
  device: 'plain',
  press: () => server.press(1, { forMs: fingerMs }),
  restores: true,
  remembers: false,
  unreadable: () => server.qualify('Button1', 'bad'),
})

const counted = (server: OpcuaServer): Button => ({
  device: 'counted',
  press: () => server.press(2, { forMs: 2 }),
  restores: true,
  remembers: true,
  unreadable: () => server.qualify('Counter2', 'uncertain'),
})

/** What is told to the wire is that the latch may be cleared. */
const latched = (server: OpcuaServer): Button => ({
  device: 'latched',
  press: () => server.press(3, { forMs: 2 }),
  restores: true,
  remembers: true,
  acknowledged: () => (server.get('Latched3') ? null : true),
  unreadable: () => server.qualify('Latched3', 'bad'),
})

const alarm = (server: OpcuaServer): Button => ({
  device: 'alarm',
  press: async () => {
    server.alarm('Duress').raise()
    await new Promise((resolve) => setTimeout(resolve, 2))
    server.alarm('Duress').clear()
  },
  restores: true,
  remembers: true,
  acknowledged: () => (server.alarm('Duress').acknowledged ? true : null),
  unreadable: () => server.alarm('Duress').qualify('bad'),
})

const checks = await cases(
  subject('variables', (server) => ({
    inputs: {
      plain: { node: server.id('Button1') },
      counted: { node: server.id('Button2'), counter: server.id('Counter2') },
    },
    buttons: [plain(server), counted(server)],
  })),
  subject('a latch and a condition', (server) => ({
    inputs: {
      latched: { node: server.id('Latched3'), latch: { reset: server.id('Reset3') } },
      alarm: { event: { notifier: server.id(), condition: 'Duress' }, acknowledge: 'recorded' },
    },
    buttons: [latched(server), alarm(server)],
  })),
  subject('a door that is secured', (server) => ({
    outputs: { door: door(server, 'Secure', 'Release') },
    trials: doors(server).filter(({ capability }) => capability !== 'door.lockdown'),
  })),
  subject('a door that is locked down', (server) => ({
    outputs: { door: door(server, 'Lockdown', 'Release') },
    trials: doors(server).filter(({ capability }) => capability === 'door.lockdown'),
  })),
  subject(
    'a relay, encrypted and with a password',
    (server) => ({
      config: {
        security: { policy: 'Basic256Sha256' },
        fingerprints: [createHash('sha256').update(guarded.certificate).digest('hex')],
        pki,
        user: { name: user.name, password: { env: 'OPCUA_PASSWORD' } },
      },
      outputs: { relay: { relay: { node: server.id('Relay1') } } },
      trials: [relay(server)],
      secrets: { OPCUA_PASSWORD: user.password },
    }),
    guarded,
  ),
)
for (const { name, run } of checks) test(name, run)
