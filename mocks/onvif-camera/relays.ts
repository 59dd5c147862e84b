import type { Property } from '../onvif/events.ts'
import { Fault, ns, prefixOf } from '../onvif/soap.ts'
import type { Operation, Service } from '../onvif/start.ts'
import { child, type Element, safe } from '../onvif/xml.ts'

/** Outputs and inputs by token; `true` is active. */
export interface Contacts {
  readonly relays: Map<string, boolean>
  readonly inputs: Map<string, boolean>
  /** Called after a relay has moved. */
  readonly moved: (token: string) => void
}

const inNamespaceOf = (args: Element, name: string) => child(args, args.namespace, name)?.text ?? ''

const relayOutputs = (relays: Iterable<string>): Operation => ({
  run: (args) =>
    [...relays]
      .map((token) => {
        const tag = `${prefixOf(args.namespace)}:RelayOutputs`
        return (
          `<${tag} token="${safe(token)}"><sch:Properties><sch:Mode>Bistable</sch:Mode>` +
          `<sch:DelayTime>PT0S</sch:DelayTime><sch:IdleState>open</sch:IdleState></sch:Properties></${tag}>`
        )
      })
      .join(''),
})

const setRelay = ({ relays, moved }: Contacts): Operation => ({
  acts: true,
  detail: (args) => ({
    token: inNamespaceOf(args, 'RelayOutputToken'),
    state: inNamespaceOf(args, 'LogicalState'),
  }),
  run: (args) => {
    const token = inNamespaceOf(args, 'RelayOutputToken')
    const state = inNamespaceOf(args, 'LogicalState')
    const was = relays.get(token)
    if (was === undefined)
      throw new Fault('Sender', ['InvalidArgVal', 'RelayToken'], `relay ${token} does not exist`)
    if (state !== 'active' && state !== 'inactive')
      throw new Fault('Sender', ['InvalidArgVal'], 'LogicalState must be active or inactive')
    relays.set(token, state === 'active')
    if (was !== (state === 'active')) moved(token)
    return ''
  },
})

/** The same two operations are in the device service too (devicemgmt.wsdl). */
export const relayOperations = (contacts: Contacts): Service['operations'] => ({
  GetRelayOutputs: relayOutputs([...contacts.relays.keys()]),
  SetRelayOutputState: setRelay(contacts),
})

/**
 * The Device I/O service. Its WSDL (deviceio.wsdl) takes the relay operations over from the device service, names and
 * namespace included; many clients and devices use its own namespace for them all the same, so both are understood.
 */
export const deviceIoService = (contacts: Contacts, inputOptions: boolean): Service => {
  const relays = relayOperations(contacts)
  const fromDevice = Object.entries(relays).map(([name, operation]) => [`{${ns.device}}${name}`, operation])
  return {
    namespace: ns.deviceIO,
    path: '/onvif/services/deviceio',
    operations: {
      ...relays,
      ...Object.fromEntries(fromDevice),
      GetServiceCapabilities: {
        open: true,
        run: () =>
          `<dio:Capabilities VideoSources="1" RelayOutputs="${contacts.relays.size}" DigitalInputs="${contacts.inputs.size}" DigitalInputOptions="${inputOptions}"/>`,
      },
      GetDigitalInputs: {
        run: () =>
          [...contacts.inputs.keys()]
            .map((token) => `<dio:DigitalInputs token="${safe(token)}" IdleState="open"/>`)
            .join(''),
      },
    },
  }
}

/** What the events say of inputs; devices differ in the name, see `inputDataName` of the camera. */
export type InputDataName = 'LogicalState' | 'State'

/** The events of relays and inputs; there is no other way to read a relay's state. */
export const contactProperties = ({ relays, inputs }: Contacts, data: InputDataName): readonly Property[] => [
  ...[...relays.keys()].map((token) => ({
    topic: 'tns1:Device/Trigger/Relay',
    source: 'RelayToken',
    token,
    data: 'LogicalState',
    value: () => (relays.get(token) ? 'active' : 'inactive'),
  })),
  ...[...inputs.keys()].map((token) => ({
    topic: 'tns1:Device/Trigger/DigitalInput',
    source: 'InputToken',
    token,
    data,
    value: () => String(inputs.get(token) ?? false),
  })),
]
