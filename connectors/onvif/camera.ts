import { done, failed, type Order, type Outcome } from '../../core/command.ts'
import type { Context } from '../../core/connector.ts'
import { BridgeError } from '../../core/error.ts'
import {
  getPresets,
  getProfiles,
  getSnapshotUri,
  gotoPreset,
  isJpeg,
  type Media,
  type Preset,
} from './codec/camera.ts'
import { OnvifError, outcomeOf } from './codec/fault.ts'
import type { Device } from './device.ts'
import type { Output } from './index.ts'
import type { Wire } from './wire.ts'

/** A picture older than this is no view of what is going on, ms. */
const liveMs = 5_000

/** What one camera output needs; read at open, so that a command is one exchange. */
interface View {
  readonly media: Media
  readonly profile: string
  /** null: it can't be turned. */
  presets: readonly Preset[] | null
  /** Where the picture is; null while it must be asked for. */
  picture: URL | null
}

/** The cameras of one device: one, or one a profile in a recorder. */
export class Cameras {
  readonly #device: Device
  readonly #wire: Wire
  readonly #ctx: Context
  readonly #views = new Map<string, View>()

  constructor(device: Device, wire: Wire, ctx: Context) {
    this.#device = device
    this.#wire = wire
    this.#ctx = ctx
  }

  /** Reads profile, presets and the picture's address anew. */
  async look(profile: string | undefined, signal?: AbortSignal): Promise<Readonly<View>> {
    const { media, token, turns } = await this.#choose(profile, signal)
    const presets = turns && this.#device.has('ptz') ? await this.#presets(token, signal) : null
    const view: View = { media, profile: token, presets, picture: null }
    view.picture = await this.#pictureOf(view, signal).catch((error: unknown) => {
      if (isFault(error)) return null
      throw error
    })
    this.#views.set(profile ?? '', view)
    return view
  }

  async preset({ address, args, signal }: Order<Output, { preset: string }>): Promise<Outcome> {
    let view: View
    let preset: string
    try {
      view = await this.#view(address.profile, signal)
      preset = await this.#presetToken(view, args.preset, signal)
    } catch (error) {
      return outcomeOf(error, 'none')
    }
    if (signal.aborted) return failed('ABORTED', `given up before ${this.#device.host} was turned`)
    try {
      await this.#device.ask(gotoPreset(view.profile, preset), { signal })
      return done('answered')
    } catch (error) {
      return outcomeOf(error)
    }
  }

  async snapshot({ address, signal }: Order<Output, unknown>): Promise<Outcome> {
    try {
      const { bytes, capturedAt } = await this.#fetch(address.profile, signal)
      const about = { mediaType: 'image/jpeg', capturedAt }
      const evidence = address.keep === true ? { evidence: await this.#ctx.keep(bytes, about) } : {}
      const live = this.#ctx.clock.now() - capturedAt <= liveMs
      return done('answered', { ...evidence, ...about, live, bytes: bytes.length })
    } catch (error) {
      return outcomeOf(error, 'none')
    }
  }

  /** One picture, proven to be a JPEG, and when it was taken: never later than we asked for it. */
  async #fetch(
    profile: string | undefined,
    signal: AbortSignal,
  ): Promise<{ bytes: Buffer; capturedAt: number }> {
    const view = await this.#view(profile, signal)
    try {
      view.picture ??= await this.#pictureOf(view, signal)
      const askedAt = this.#ctx.clock.now()
      const { bytes, mediaType, ageMs } = await this.#wire.get(view.picture, signal)
      if (!/^image\/(jpeg|jpg|pjpeg)$/.test(mediaType))
        throw new BridgeError(
          'BAD_ANSWER',
          `the picture of ${this.#device.host} is ${mediaType || 'of no type'}`,
        )
      if (!isJpeg(bytes))
        throw new BridgeError('BAD_ANSWER', `the picture of ${this.#device.host} is no JPEG`)
      return { bytes, capturedAt: askedAt - ageMs }
    } catch (error) {
      // An address may hold until the next restart only (InvalidAfterReboot): the next attempt asks again.
      view.picture = null
      throw error
    }
  }

  async #view(profile: string | undefined, signal: AbortSignal): Promise<View> {
    return this.#views.get(profile ?? '') ?? this.look(profile, signal)
  }

  async #choose(wanted: string | undefined, signal?: AbortSignal) {
    const medias = (['media', 'media2'] as const).filter((media) => this.#device.has(media))
    for (const media of medias) {
      const profiles = await this.#device.ask(getProfiles(media), { signal }).catch((error: unknown) => {
        // Some cameras list a media service that they have not got.
        if (isFault(error) && media !== medias.at(-1)) return []
        throw error
      })
      const found =
        wanted === undefined
          ? (profiles.find((profile) => profile.ptz) ?? profiles[0])
          : profiles.find((profile) => profile.token === wanted)
      if (found) return { media, token: found.token, turns: found.ptz }
    }
    if (medias.length === 0 || wanted === undefined)
      throw new OnvifError('UNSUPPORTED', `${this.#device.host} is no camera: it has no media profile`, {
        retry: 'never',
      })
    throw new OnvifError('NOT_FOUND', `${this.#device.host} has no media profile ${wanted}`, {
      retry: 'never',
    })
  }

  async #presets(profile: string, signal?: AbortSignal): Promise<readonly Preset[] | null> {
    try {
      return await this.#device.ask(getPresets(profile), { signal })
    } catch (error) {
      if (isFault(error)) return null
      throw error
    }
  }

  /** A preset by its token, else by its name. It may have been made since we last looked. */
  async #presetToken(view: View, wanted: string, signal: AbortSignal): Promise<string> {
    const find = () =>
      view.presets?.find((preset) => preset.token === wanted) ??
      view.presets?.find((preset) => preset.name === wanted)
    if (find() === undefined && view.presets !== null)
      view.presets = await this.#presets(view.profile, signal)
    const found = find()
    if (found !== undefined) return found.token
    const { host } = this.#device
    if (view.presets === null)
      throw new OnvifError('UNSUPPORTED', `${host} cannot be turned by profile ${view.profile}`, {
        retry: 'never',
      })
    const known = view.presets.slice(0, 20).map(({ token, name }) => (name ? `${token} (${name})` : token))
    throw new OnvifError(
      'NOT_FOUND',
      `${host} has no preset ${wanted}; it has ${known.join(', ') || 'none'}`,
      {
        retry: 'never',
      },
    )
  }

  async #pictureOf({ media, profile }: View, signal?: AbortSignal): Promise<URL> {
    return this.#device.reach(await this.#device.ask(getSnapshotUri(media, profile), { signal }))
  }
}

/** The device said no, as against: it could not be asked. */
export const isFault = (error: unknown): boolean =>
  error instanceof OnvifError && ['UNSUPPORTED', 'REFUSED', 'NOT_FOUND', 'UNAUTHORIZED'].includes(error.code)
