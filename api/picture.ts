import { BridgeError } from '../core/error.ts'

/** A picture from a phone, bytes. */
const bytesMax = 2 * 1_048_576

/** JPEG (ISO/IEC 10918-1, B.1.1.3: SOI and the next marker) and PNG (ISO/IEC 15948, 5.2). */
const kinds = [
  { mediaType: 'image/jpeg', begins: [0xff, 0xd8, 0xff] },
  { mediaType: 'image/png', begins: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] },
] as const

/** The bytes of a picture in base64; what begins like none is refused, whatever its sender calls it. */
export const pictureOf = (base64: string): { readonly bytes: Uint8Array; readonly mediaType: string } => {
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64))
    throw new BridgeError('BAD_REQUEST', '`photo` is not base64')
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'))
  if (bytes.length > bytesMax)
    throw new BridgeError('TOO_LARGE', `the picture has ${bytes.length} bytes, at most 2 MB are kept`)
  const kind = kinds.find(({ begins }) => begins.every((byte, index) => bytes[index] === byte))
  if (!kind) throw new BridgeError('BAD_REQUEST', '`photo` is neither a JPEG nor a PNG')
  return { bytes, mediaType: kind.mediaType }
}
