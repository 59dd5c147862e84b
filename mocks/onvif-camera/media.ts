import { Fault, ns } from '../onvif/soap.ts'
import type { Service } from '../onvif/start.ts'
import { child, type Element, safe } from '../onvif/xml.ts'

/** The only media profile of the camera. */
const profileToken = 'PROFILE_1'
/** Where the pictures are. */
export const snapshotPath = '/snapshot.jpg'

const size = (tag: string) =>
  `<sch:${tag}><sch:Width>320</sch:Width><sch:Height>240</sch:Height></sch:${tag}>`
const named = (name: string) => `<sch:Name>${name}</sch:Name><sch:UseCount>1</sch:UseCount>`

const videoSource =
  `<sch:VideoSourceConfiguration token="VSC_1">${named('Video source')}<sch:SourceToken>VS_1</sch:SourceToken>` +
  '<sch:Bounds x="0" y="0" width="320" height="240"/></sch:VideoSourceConfiguration>'

const videoEncoder =
  `<sch:VideoEncoderConfiguration token="VEC_1">${named('Video encoder')}<sch:Encoding>JPEG</sch:Encoding>` +
  `${size('Resolution')}<sch:Quality>5</sch:Quality>` +
  '<sch:RateControl><sch:FrameRateLimit>5</sch:FrameRateLimit><sch:EncodingInterval>1</sch:EncodingInterval>' +
  '<sch:BitrateLimit>2048</sch:BitrateLimit></sch:RateControl>' +
  '<sch:Multicast><sch:Address><sch:Type>IPv4</sch:Type><sch:IPv4Address>0.0.0.0</sch:IPv4Address></sch:Address>' +
  '<sch:Port>0</sch:Port><sch:TTL>0</sch:TTL><sch:AutoStart>false</sch:AutoStart></sch:Multicast>' +
  '<sch:SessionTimeout>PT60S</sch:SessionTimeout></sch:VideoEncoderConfiguration>'

/** What a PTZ configuration looks like, in a profile and in the PTZ service. */
export const ptzConfiguration = `${named('PTZ')}<sch:NodeToken>PTZ_NODE_1</sch:NodeToken>`

/** Throws the fault of ONVIF when the arguments name no profile of ours. */
export const checkProfile = (args: Element, namespace: string): void => {
  const token = child(args, namespace, 'ProfileToken')?.text ?? ''
  if (token !== profileToken)
    throw new Fault('Sender', ['InvalidArgVal', 'NoProfile'], `profile ${token} does not exist`)
}

const mediaUri = (uri: string) =>
  `<med:MediaUri><sch:Uri>${safe(uri)}</sch:Uri><sch:InvalidAfterConnect>false</sch:InvalidAfterConnect>` +
  '<sch:InvalidAfterReboot>false</sch:InvalidAfterReboot><sch:Timeout>PT0S</sch:Timeout></med:MediaUri>'

/** The media service, version 1 (media.wsdl). */
export const mediaService = (ptz: boolean, address: (path: string) => string): Service => {
  const profile = (tag: string) =>
    `<med:${tag} token="${profileToken}" fixed="true"><sch:Name>Main</sch:Name>${videoSource}${videoEncoder}` +
    `${ptz ? `<sch:PTZConfiguration token="PTZ_1">${ptzConfiguration}</sch:PTZConfiguration>` : ''}</med:${tag}>`
  const uriOf = (uri: () => string) => ({
    run: (args: Element) => {
      checkProfile(args, ns.media)
      return mediaUri(uri())
    },
  })
  return {
    namespace: ns.media,
    path: '/onvif/services/media',
    operations: {
      GetServiceCapabilities: {
        open: true,
        run: () =>
          '<med:Capabilities SnapshotUri="true"><med:ProfileCapabilities MaximumNumberOfProfiles="1"/>' +
          '<med:StreamingCapabilities RTP_TCP="true" RTP_RTSP_TCP="true"/></med:Capabilities>',
      },
      GetProfiles: { run: () => profile('Profiles') },
      GetProfile: {
        run: (args) => {
          checkProfile(args, ns.media)
          return profile('Profile')
        },
      },
      GetVideoSources: {
        run: () =>
          `<med:VideoSources token="VS_1"><sch:Framerate>5</sch:Framerate>${size('Resolution')}</med:VideoSources>`,
      },
      GetSnapshotUri: uriOf(() => address(snapshotPath)),
      GetStreamUri: uriOf(() => address('/stream').replace('http:', 'rtsp:')),
    },
  }
}
