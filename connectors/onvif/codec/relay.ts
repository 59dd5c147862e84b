import { type Call, call, element, namespaces, nothing, type Service } from './call.ts'
import { all, attributeOf } from './xml.ts'

/**
 * Where relays are: deviceio.wsdl puts the *device* namespace's elements on the device I/O service, many devices
 * expect that service's own namespace there, old ones have them on the device service only.
 */
export interface RelayWay {
  readonly service: Service
  readonly namespace: string
}

export const relayWays: readonly RelayWay[] = [
  { service: 'deviceIO', namespace: namespaces.deviceIO },
  { service: 'deviceIO', namespace: namespaces.device },
  { service: 'device', namespace: namespaces.device },
]

/** The tokens of the relays. */
export const getRelayOutputs = ({ service, namespace }: RelayWay): Call<readonly string[]> =>
  call(
    service,
    'GetRelayOutputs',
    '',
    (answer) =>
      all(answer, 'RelayOutputs').flatMap((listed) => {
        const token = attributeOf(listed, 'token')
        return token ? [token] : []
      }),
    namespace,
  )

export const setRelayOutputState = (
  { service, namespace }: RelayWay,
  relay: string,
  on: boolean,
): Call<void> =>
  call(
    service,
    'SetRelayOutputState',
    element('RelayOutputToken', relay) + element('LogicalState', on ? 'active' : 'inactive'),
    nothing,
    namespace,
  )
