import { Fault, ns } from '../onvif/soap.ts'
import type { Service } from '../onvif/start.ts'
import { child, type Element, safe } from '../onvif/xml.ts'
import { checkProfile, ptzConfiguration } from './media.ts'

/** Where the camera can look, and where it looks. */
export interface Head {
  readonly presets: ReadonlyMap<string, string>
  /** Token of the preset that it went to last; null before the first move. */
  at: string | null
}

const argument = (args: Element, name: string) => child(args, ns.ptz, name)?.text ?? ''

/** Presets lie side by side, so that each has a position of its own. */
const position = (head: Head, token: string | null): string => {
  const index = token === null ? 0 : [...head.presets.keys()].indexOf(token) + 1
  const x = (index / (head.presets.size + 1)).toFixed(3)
  return `<sch:PanTilt x="${x}" y="0"/><sch:Zoom x="0"/>`
}

const preset = (head: Head, token: string, name: string): string =>
  `<mov:Preset token="${safe(token)}"><sch:Name>${safe(name)}</sch:Name>` +
  `<sch:PTZPosition>${position(head, token)}</sch:PTZPosition></mov:Preset>`

const status = (head: Head, now: number): string =>
  `<mov:PTZStatus><sch:Position>${position(head, head.at)}</sch:Position>` +
  '<sch:MoveStatus><sch:PanTilt>IDLE</sch:PanTilt><sch:Zoom>IDLE</sch:Zoom></sch:MoveStatus>' +
  `<sch:UtcTime>${new Date(now).toISOString()}</sch:UtcTime></mov:PTZStatus>`

const node = (head: Head): string =>
  '<mov:PTZNode token="PTZ_NODE_1"><sch:Name>PTZ</sch:Name><sch:SupportedPTZSpaces/>' +
  `<sch:MaximumNumberOfPresets>${head.presets.size}</sch:MaximumNumberOfPresets>` +
  '<sch:HomeSupported>false</sch:HomeSupported></mov:PTZNode>'

/** The PTZ service, version 2 (ver20/ptz/wsdl), with presets that can't be changed. */
export const ptzService = (head: Head, now: () => number): Service => ({
  namespace: ns.ptz,
  path: '/onvif/services/ptz',
  operations: {
    GetServiceCapabilities: {
      open: true,
      run: () => '<mov:Capabilities MoveStatus="true" StatusPosition="true"/>',
    },
    GetNodes: { run: () => node(head) },
    GetConfigurations: {
      run: () => `<mov:PTZConfiguration token="PTZ_1">${ptzConfiguration}</mov:PTZConfiguration>`,
    },
    GetStatus: {
      run: (args) => {
        checkProfile(args, ns.ptz)
        return status(head, now())
      },
    },
    GetPresets: {
      run: (args) => {
        checkProfile(args, ns.ptz)
        return [...head.presets].map(([token, name]) => preset(head, token, name)).join('')
      },
    },
    GotoPreset: {
      acts: true,
      detail: (args) => ({ preset: argument(args, 'PresetToken') }),
      run: (args) => {
        checkProfile(args, ns.ptz)
        const token = argument(args, 'PresetToken')
        if (!head.presets.has(token))
          throw new Fault('Sender', ['InvalidArgVal', 'NoToken'], `preset ${token} does not exist`)
        head.at = token
        return ''
      },
    },
  },
})
