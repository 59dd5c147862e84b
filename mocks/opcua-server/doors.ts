import { DataType, StatusCodes } from 'node-opcua'
import {
  type Door,
  type DoorMode,
  type DoorOperation,
  type DoorSpec,
  type Doors,
  makeDoors,
} from '../door.ts'
import type { Journal } from '../mock.ts'
import type { Engine } from './engine.ts'
import type { Panel } from './panel.ts'

/** The numbers in which the door's variable `State` says its mode. */
const doorModes: readonly DoorMode[] = [
  'Unknown',
  'Locked',
  'Unlocked',
  'Accessed',
  'Blocked',
  'LockedDown',
  'LockedOpen',
  'DoubleLocked',
]

/** What `Release` means to the door: out of a lockdown by its own operation, else back to the schedule. */
const releaseOf = (door: Door): DoorOperation =>
  door.mode === 'LockedDown' ? 'LockDownReleaseDoor' : door.schedule === 'Locked' ? 'LockDoor' : 'UnlockDoor'

const methods: { readonly [name: string]: (door: Door) => DoorOperation } = {
  Secure: () => 'LockDoor',
  Lockdown: () => 'LockDownDoor',
  Release: releaseOf,
}

/** Doors as objects below a panel: the variable `State`, and the methods Secure, Lockdown and Release. */
export const addDoors = (
  engine: Engine,
  panel: Panel,
  specs: { readonly [token: string]: DoorSpec },
  journal: Journal,
): Doors => {
  const doors = makeDoors(specs)
  for (const [token, door] of Object.entries(doors)) {
    const state = `${token}.State`
    panel.variable(state, DataType.Int32, doorModes.indexOf(door.mode))
    door.listen(() => panel.set(state, doorModes.indexOf(door.mode)))
    const object = engine.namespace.addObject({
      browseName: token,
      nodeId: `s=${panel.name}.${token}`,
      componentOf: panel.object,
    })
    for (const [name, operation] of Object.entries(methods)) {
      const method = engine.namespace.addMethod(object, {
        browseName: name,
        nodeId: `s=${panel.name}.${token}.${name}`,
        inputArguments: [],
        outputArguments: [],
      })
      method.bindMethod((_inputs, _context, done) => {
        journal.note('call', { door: token, method: name })
        const answer = door.command(operation(door))
        if (answer === 'silent') return
        const statusCode =
          answer === 'done'
            ? StatusCodes.Good
            : answer === 'unsupported'
              ? StatusCodes.BadNotSupported
              : StatusCodes.BadInvalidState
        done(null, { statusCode })
      })
    }
  }
  return doors
}
