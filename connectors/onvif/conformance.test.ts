import { setTimeout as wait } from 'node:timers/promises'
import { test } from 'vitest'
import type { Journal } from '../../mocks/mock.ts'
import type { OnvifMock } from '../../mocks/onvif/start.ts'
import { type OnvifCamera, startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { startOnvifDoors } from '../../mocks/onvif-door/index.ts'
import { type Button, cases, type Stage } from '../conformance/kit.ts'
import onvif from './index.ts'

const account = { username: 'bridge', password: 'C4mera+Pass/wörd%=' }
// Another host than that of the opening: all addresses that the device gives lead back to where it was opened.
const common = { ...account, xaddrHost: 'localhost' }

const config = (port: number) => ({
  url: `http://127.0.0.1:${port}/onvif/device_service`,
  username: account.username,
  password: { env: 'ONVIF_PASSWORD' },
  timeout: '800ms',
  poll: '300ms',
})
const secrets = { ONVIF_PASSWORD: account.password }

const asked = (journal: Journal, what: string) => () => journal.count(what)

/** The device is there, but tells no events any more. */
const deaf = (mock: OnvifMock) => () => {
  mock.plays('PullMessages', 'fails')
  mock.plays('CreatePullPointSubscription', 'fails')
}

const button = (mock: OnvifCamera, device: string, token: string, pressed: boolean): Button => ({
  device,
  press: async () => {
    mock.input(token, pressed)
    await wait(20)
    mock.input(token, !pressed)
  },
  restores: true,
  // A device tells what happened while nobody had subscribed only as far as it still is so.
  remembers: false,
  unreadable: deaf(mock),
})

const camera = async (): Promise<Stage> => {
  const mock = await startOnvifCamera({
    ...common,
    auth: ['ws-security'],
    presets: { '1': 'Hall', '2': 'Triage 2' },
    inputs: ['DI_0', 'DI_1'],
  })
  mock.input('DI_1', true)
  return {
    opening: (port) => ({
      config: config(port),
      inputs: { button: { digital: 'DI_0' }, 'opens-when-pressed': { digital: 'DI_1', active: false } },
      outputs: { camera: { keep: true }, relay: { relay: 'RO_0' } },
    }),
    secrets,
    peer: mock,
    trials: [
      {
        capability: 'camera.preset',
        output: 'camera',
        args: { preset: 'Triage 2' },
        acts: asked(mock.journal, 'GotoPreset'),
        reached: () => mock.preset === '2',
        unknown: { args: { preset: 'nowhere' } },
      },
      { capability: 'camera.snapshot', output: 'camera', args: {} },
      {
        capability: 'relay.set',
        output: 'relay',
        args: { on: true },
        acts: asked(mock.journal, 'SetRelayOutputState'),
        reached: () => mock.relay('RO_0'),
        // Its own events prove it: the subscription to them comes first.
        preSteps: 1,
        unknown: { output: { relay: 'RO_9' } },
      },
    ],
    buttons: [button(mock, 'button', 'DI_0', true), button(mock, 'opens-when-pressed', 'DI_1', false)],
    close: () => mock.close(),
  }
}

const doors = async (): Promise<Stage> => {
  const mock = await startOnvifDoors({
    ...common,
    auth: ['digest'],
    doors: { 'ED-W': { schedule: 'Locked' } },
    accessPoints: { 'ED-W-IN': {} },
  })
  const door = mock.doors['ED-W']
  const shared = { output: 'door', unknown: { output: { token: 'NO-DOOR' } } }
  return {
    opening: (port) => ({
      config: config(port),
      inputs: { keypad: { 'access-point': 'ED-W-IN' }, 'door-health': { door: 'ED-W' } },
      outputs: { door: { token: 'ED-W' } },
    }),
    secrets,
    peer: mock,
    trials: [
      { ...shared, capability: 'door.state', args: {} },
      {
        ...shared,
        capability: 'door.secure',
        args: {},
        acts: asked(mock.journal, 'LockDoor'),
        prepare: () => door.become('Unlocked'),
        reached: () => door.mode === 'Locked',
      },
      {
        ...shared,
        capability: 'door.lockdown',
        args: {},
        acts: asked(mock.journal, 'LockDownDoor'),
        prepare: () => door.become('Unlocked'),
        reached: () => door.mode === 'LockedDown',
      },
      {
        ...shared,
        capability: 'door.release',
        args: { from: 'lockdown', before: 'unlocked' },
        // Two commands, as the release leads back to locked: what counts is whether the first has gone out.
        acts: asked(mock.journal, 'LockDownReleaseDoor'),
        prepare: () => door.become('LockedDown'),
        reached: () => door.mode === 'Unlocked',
        // It is read first, since an override of somebody else is not ours to lift.
        preSteps: 1,
      },
    ],
    buttons: [
      {
        device: 'keypad',
        press: async () => mock.duress('ED-W-IN'),
        restores: false,
        remembers: false,
        unreadable: deaf(mock),
        stranger: async () => mock.duress('ED-E-IN'),
      },
    ],
    close: () => mock.close(),
  }
}

const all = await cases(
  { name: 'camera, signed by WS-Security', connector: onvif, start: camera },
  { name: 'doors, signed by HTTP digest', connector: onvif, start: doors },
)
for (const { name, run } of all) test(name, run)
