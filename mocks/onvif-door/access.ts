import type { News } from '../onvif/message.ts'
import { ns } from '../onvif/soap.ts'
import type { Service } from '../onvif/start.ts'
import { safe } from '../onvif/xml.ts'

/** A side of a door with a reader or keypad. */
export interface AccessPointSpec {
  readonly name?: string
  /** Whether it knows duress codes; default true. */
  readonly duress?: boolean
}

export type AccessPoints = { readonly [token: string]: AccessPointSpec }

/** Who used a duress code, as far as the device tells. */
export interface DuressBy {
  readonly credential?: string
  readonly holder?: string
  readonly reason?: string
}

export const duressTopic = 'tns1:AccessControl/Duress'

/** The event of a duress code: no property, so that nobody is told again (AccessControl.xml, "Duress"). */
export const duressNews = (token: string, { credential, holder, reason }: DuressBy): News => ({
  topic: duressTopic,
  source: { AccessPointToken: token },
  data: {
    ...(credential === undefined ? {} : { CredentialToken: credential }),
    ...(holder === undefined ? {} : { CredentialHolderName: holder }),
    ...(reason === undefined ? {} : { Reason: reason }),
  },
})

/** The access control service (accesscontrol.wsdl), as far as a client needs it to find the access points. */
export const accessService = (points: AccessPoints): Service => ({
  namespace: ns.accessControl,
  path: '/onvif/services/access',
  operations: {
    GetServiceCapabilities: {
      open: true,
      run: () => `<pts:Capabilities MaxLimit="100" MaxAccessPoints="${Object.keys(points).length}"/>`,
    },
    GetAccessPointInfoList: {
      run: () =>
        Object.entries(points)
          .map(
            ([token, { name = token, duress = true }]) =>
              `<pts:AccessPointInfo token="${safe(token)}"><pts:Name>${safe(name)}</pts:Name>` +
              `<pts:Entity>${safe(token)}</pts:Entity>` +
              `<pts:Capabilities DisableAccessPoint="false" Duress="${duress}"/></pts:AccessPointInfo>`,
          )
          .join(''),
    },
  },
})
