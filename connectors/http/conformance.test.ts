import { test } from 'vitest'
import { type HttpMock, type Reply, type Request, startHttp } from '../../mocks/http/device.ts'
import { Journal } from '../../mocks/mock.ts'
import { startRestDoors } from '../../mocks/rest-door/index.ts'
import { cases, message, type Stage, type Trial } from '../conformance/kit.ts'
import http from './index.ts'

const password = 'D00r+Pass/word%=&'
const apiKey = 'k3y-0f+the/API%=&'
const account = { username: 'bridge', password }

/** Axis VAPIX behind digest: a request that acts may go out twice, and the refused one has asked for nothing. */
const axis = async (): Promise<Stage> => {
  const mock = await startRestDoors({ ...account, doors: { 'ED-W': { schedule: 'Locked' } } })
  const door = mock.doors['ED-W']
  const of = (capability: string, operation: string, more: Partial<Trial>): Trial => ({
    capability,
    output: 'door',
    args: {},
    acts: () => mock.journal.count(operation),
    prepare: () => door.become('Unlocked'),
    unknown: { output: { values: { token: 'NO-DOOR' } } },
    ...more,
  })
  return {
    opening: (port) => ({
      config: {
        url: `http://127.0.0.1:${port}`,
        auth: { digest: { username: 'bridge', password: { env: 'DOOR_PASSWORD' } } },
        profile: 'axis-door',
        timeout: '250ms',
      },
      outputs: { door: { values: { token: 'ED-W' } } },
    }),
    secrets: { DOOR_PASSWORD: password },
    peer: mock,
    trials: [
      { capability: 'door.state', output: 'door', args: {} },
      of('door.secure', 'LockDoor', { reached: () => door.mode === 'Locked' }),
      of('door.lockdown', 'LockDownDoor', { reached: () => door.mode === 'LockedDown' }),
      // Two commands, as the release leads back to locked: what counts is whether the first has gone out.
      of('door.release', 'LockDownReleaseDoor', {
        args: { from: 'lockdown', before: 'unlocked' },
        prepare: () => door.become('LockedDown'),
        reached: () => door.mode === 'Unlocked',
        // The door is read before; digest makes two exchanges of it.
        preSteps: 2,
      }),
    ],
    close: () => mock.close(),
  }
}

/** Everything else that a config may ask of some system: each request is an act, reading back is GET. */
const anySystem = async (): Promise<Stage> => {
  const journal = new Journal()
  const state = { relay: false, mode: 'unlocked' }
  const act = ({ method, path, body, headers }: Request): Reply => {
    if (headers['x-api-key'] !== apiKey) return { status: 401, body: `wrong key ${headers['x-api-key']}` }
    if (path.startsWith('/nobody')) return { status: 404 }
    if (method === 'GET') return { status: 200, body: JSON.stringify(state) }
    journal.note(path, {})
    if (path === '/relay') state.relay = JSON.parse(body).on === true
    if (path === '/door') state.mode = JSON.parse(body).mode
    return { status: 200, body: JSON.stringify({ ok: true, id: 'r-1' }) }
  }
  const mock: HttpMock = await startHttp(0, journal, {
    answer: act,
    note: ({ method, path }) => {
      if (method !== 'GET') journal.note(path, {})
    },
    wrongAnswer: () => ({ status: 200, body: '{"weather":"fine"}' }),
    forget: () => {},
  })
  const success = { test: 'ok = true' }
  const reference = { success, result: '{ "reference": id }' }
  const doorTo = (mode: string) => ({
    path: '/door',
    method: 'PUT',
    body: { mode },
    confirm: {
      test: `mode = "${mode}"`,
      result: '{ "mode": mode }',
      path: '/door',
      within: '1s',
      every: '50ms',
    },
  })
  const requests = {
    'page.send': { path: '/page', body: { to: '{{values.number}}', text: '{{message.text}}' }, ...reference },
    'event.send': { path: '/event', ...reference },
    'camera.preset': { path: '/preset?no={{args.preset}}', success },
    'door.highlight': { path: '/light', success },
    'relay.set': {
      path: '/relay',
      body: { on: '{{args.on}}' },
      confirm: { path: '/relay', test: 'relay = true', within: '1s', every: '50ms' },
    },
    'door.state': { path: '/door', result: '{ "mode": mode }' },
    'door.secure': doorTo('locked'),
    'door.lockdown': doorTo('lockdown'),
    'door.release': doorTo('unlocked'),
  }
  const trial = (capability: string, path: string, more: Partial<Trial> = {}): Trial => ({
    capability,
    output: 'system',
    args: {},
    acts: () => journal.count(path),
    unknown: { output: { url: `http://127.0.0.1:${mock.port}/nobody`, values: { number: '5550100' } } },
    ...more,
  })
  return {
    opening: (port) => ({
      config: {
        url: `http://127.0.0.1:${port}`,
        auth: { header: { name: 'x-api-key', value: { env: 'API_KEY' } } },
        timeout: '250ms',
        requests,
      },
      outputs: { system: { values: { number: '5550100' } } },
    }),
    secrets: { API_KEY: apiKey },
    peer: mock,
    trials: [
      trial('page.send', '/page', { args: { message } }),
      trial('event.send', '/event', { args: { message } }),
      trial('camera.preset', '/preset', { args: { preset: '2' } }),
      trial('door.highlight', '/light'),
      trial('relay.set', '/relay', { args: { on: true }, reached: () => state.relay }),
      { capability: 'door.state', output: 'system', args: {} },
      trial('door.secure', '/door', { reached: () => state.mode === 'locked' }),
      trial('door.lockdown', '/door', { reached: () => state.mode === 'lockdown' }),
      trial('door.release', '/door', {
        args: { from: 'secure', before: 'unlocked' },
        reached: () => state.mode === 'unlocked',
      }),
    ],
    close: () => mock.close(),
  }
}

const all = await cases(
  { name: 'axis-door', connector: http, start: axis },
  { name: 'requests', connector: http, start: anySystem },
)
for (const { name, run } of all) test(name, run)
