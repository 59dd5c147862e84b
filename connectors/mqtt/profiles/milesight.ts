/** Lengths of values by channel and type, bytes: what a Milesight WS101 and its kin send. */
const lengths: Readonly<Record<string, number>> = {
  '01 75': 1, // battery, percent
  'ff 2e': 1, // button
  'ff 01': 1, // protocol version
  'ff 09': 2, // hardware version
  'ff 0a': 2, // firmware version
  'ff 0b': 1, // power on
  'ff 0f': 1, // device class
  'ff 16': 8, // serial number
  'ff fe': 1, // reset
  'ff ff': 2, // payload version
}

const patterns: Readonly<Record<number, string>> = { 1: 'short', 2: 'long', 3: 'double' }

export interface Decoded {
  readonly press?: { readonly pattern: string }
  readonly battery?: number
}

/** The payload of a button where the network server has no decoder: channel, type, value, one after the other. Other payloads say nothing. */
export const milesight = (base64: unknown): Decoded => {
  if (typeof base64 !== 'string' || base64.length > 400) return {}
  const bytes = Buffer.from(base64, 'base64')
  let said: Decoded = {}
  for (let at = 0; at < bytes.length; ) {
    const type = `${hex(bytes[at])} ${hex(bytes[at + 1])}`
    const length = lengths[type]
    const value = bytes[at + 2]
    if (length === undefined || value === undefined || at + 2 + length > bytes.length) return {}
    if (type === 'ff 2e') said = { ...said, press: { pattern: patterns[value] ?? `button-${value}` } }
    if (type === '01 75' && value <= 100) said = { ...said, battery: value }
    at += 2 + length
  }
  return said
}

const hex = (byte: number | undefined): string => (byte ?? 0).toString(16).padStart(2, '0')
