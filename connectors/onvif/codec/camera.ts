import { BridgeError } from '../../../core/error.ts'
import { type Call, call, element, nothing } from './call.ts'
import { all, attributeOf, one, textOf, type Xml } from './xml.ts'

/** A media profile: what a camera shows, and whether it can be turned by it. */
export interface Profile {
  readonly token: string
  readonly ptz: boolean
}

/** The camera's media services: profile S has `media`, profile T `media2`. */
export type Media = 'media' | 'media2'

export const getProfiles = (media: Media): Call<readonly Profile[]> =>
  call(media, 'GetProfiles', media === 'media2' ? '<Type>PTZ</Type>' : '', (answer) =>
    all(answer, 'Profiles').flatMap((listed) => {
      const token = attributeOf(listed, 'token')
      return token ? [{ token, ptz: turns(listed) }] : []
    }),
  )

/** Media 1 has PTZConfiguration in the profile, Media 2 has Configurations/PTZ. */
const turns = (profile: Xml): boolean =>
  one(profile, 'PTZConfiguration') !== undefined || one(profile, 'Configurations', 'PTZ') !== undefined

/** The address of the picture, as the camera gives it. */
export const getSnapshotUri = (media: Media, profile: string): Call<string> =>
  call(media, 'GetSnapshotUri', element('ProfileToken', profile), (answer) => {
    const uri = textOf(answer, 'MediaUri', 'Uri') ?? textOf(answer, 'Uri')
    if (!uri) throw new BridgeError('BAD_ANSWER', 'GetSnapshotUri was answered without an address')
    return uri
  })

export interface Preset {
  readonly token: string
  readonly name: string
}

export const getPresets = (profile: string): Call<readonly Preset[]> =>
  call('ptz', 'GetPresets', element('ProfileToken', profile), (answer) =>
    all(answer, 'Preset').flatMap((listed) => {
      const token = attributeOf(listed, 'token')
      return token ? [{ token, name: textOf(listed, 'Name') ?? '' }] : []
    }),
  )

export const gotoPreset = (profile: string, preset: string): Call<void> =>
  call('ptz', 'GotoPreset', element('ProfileToken', profile) + element('PresetToken', preset), nothing)

/** JPEG files begin with the marker SOI and another marker (ITU-T T.81, B.1.1.2). */
export const isJpeg = (bytes: Uint8Array): boolean =>
  bytes.length > 3 && bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff
