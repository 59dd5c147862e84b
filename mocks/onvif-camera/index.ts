import { HttpAuth, type Scheme } from '../http/auth.ts'
import { Events, type Habits } from '../onvif/events.ts'
import { type OnvifMock, type OnvifOptions, startOnvif } from '../onvif/start.ts'
import { mediaService, snapshotPath } from './media.ts'
import { takePicture } from './picture.ts'
import { type Head, ptzService } from './ptz.ts'
import {
  type Contacts,
  contactProperties,
  deviceIoService,
  type InputDataName,
  relayOperations,
} from './relays.ts'

export interface OnvifCameraOptions extends OnvifOptions {
  /** Name by token. */
  readonly presets: { readonly [token: string]: string }
  /** Tokens; default RO_0. */
  readonly relays?: readonly string[]
  /** Tokens; default DI_0. */
  readonly inputs?: readonly string[]
  /** Whether it can turn; default true. */
  readonly ptz?: boolean
  /** How the snapshot is guarded; default digest and basic. */
  readonly snapshotAuth?: readonly Scheme[]
  /** Under which name input events carry the state; default LogicalState, as the WSDL says; some devices say State. */
  readonly inputDataName?: InputDataName
  /** Whether a client may say which level an input has at rest; then true means active, else it means a closed circuit. */
  readonly inputOptions?: boolean
  readonly habits?: Habits
}

export interface OnvifCamera extends OnvifMock {
  /** Token of the preset that it looks at; null before the first. */
  readonly preset: string | null
  /** Whether the relay is active. */
  relay(token: string): boolean
  /** Changes what the device says of an input. `lost`: the event never leaves the device, though the state has changed. */
  input(token: string, active: boolean, how?: { readonly lost?: boolean }): void
  /** Says the state of an input once more, as a change that is none. */
  repeat(token: string): void
  /** Subscriptions that are alive. */
  readonly subscriptions: number
}

/** Starts an ONVIF camera with presets, a snapshot picture, relays and inputs. */
export const startOnvifCamera = async ({
  presets,
  relays = ['RO_0'],
  inputs = ['DI_0'],
  ptz = true,
  snapshotAuth = ['digest', 'basic'],
  inputDataName = 'LogicalState',
  inputOptions = true,
  habits = {},
  ...options
}: OnvifCameraOptions): Promise<OnvifCamera> => {
  const head: Head = { presets: new Map(Object.entries(presets)), at: null }
  const contacts: Contacts = {
    relays: new Map(relays.map((token) => [token, false])),
    inputs: new Map(inputs.map((token) => [token, false])),
    moved: (token) => changed(token),
  }
  const properties = contactProperties(contacts, inputDataName)
  const events = new Events(properties, () => mock.now(), { habits })
  const changed = (token: string) => {
    for (const property of properties) if (property.token === token) events.changed(property)
  }
  const auth = new HttpAuth({ ...options, schemes: snapshotAuth })

  const picture = () => {
    const number = head.at === null ? 0 : [...head.presets.keys()].indexOf(head.at) + 1
    const title = head.at === null ? 'HOME' : (head.presets.get(head.at) as string)
    return {
      status: 200,
      headers: { 'Content-Type': 'image/jpeg' },
      body: takePicture(title, number, mock.now()),
    }
  }

  const mock: OnvifMock = await startOnvif(options, {
    about: {
      manufacturer: 'Duress Bridge',
      model: 'Mock camera',
      serial: 'MOCK-CAM-1',
      type: 'Network_Video_Transmitter',
    },
    deviceOperations: relayOperations(contacts),
    services: (address, now) => [
      mediaService(ptz, address),
      ...(ptz ? [ptzService(head, now)] : []),
      deviceIoService(contacts, inputOptions),
      ...events.services(address),
    ],
    pages: { [snapshotPath]: { what: 'snapshot', detail: () => ({ preset: head.at }), auth, run: picture } },
    forget: () => {
      events.forget()
      auth.forget()
      for (const token of contacts.relays.keys()) contacts.relays.set(token, false)
    },
  })

  const unplug = mock.close
  return Object.defineProperties(
    Object.assign(mock, {
      relay: (token: string) => contacts.relays.get(token) ?? false,
      input: (token: string, active: boolean, { lost = false } = {}) => {
        const was = contacts.inputs.get(token)
        if (was === undefined) throw new Error(`the camera has no input ${token}`)
        contacts.inputs.set(token, active)
        if (was !== active && !lost) changed(token)
      },
      repeat: (token: string) => changed(token),
      close: () => {
        events.forget()
        return unplug()
      },
    }),
    {
      preset: { get: () => head.at, enumerable: true },
      subscriptions: { get: () => events.subscriptions, enumerable: true },
    },
  ) as OnvifCamera
}
