import type { Config, Line } from './config.ts'
import type { Run } from './points.ts'

/** Bits of a character with its start bit, and parity or a second stop bit (Modbus over Serial Line 1.02, 2.5.1). */
const charBits = 11
/** Above 19,200 baud the silence is fixed, ms (2.5.1.1). */
const fastBaud = 19_200
const fastSilenceMs = 1.75
/** What a unit needs to think, with the delay of a USB adapter: a guess that fits most, ms. */
const thinkMs = 8
/** Typical time of one request on an Ethernet I/O module, ms. */
const tcpMs = 3
/** Taken for the line behind a gateway that passes RTU on. */
const assumed = { baud: 9_600 }
/** Bytes of a reading request, and of its answer around the values. */
const frameBytes = { request: 8, answer: 5 }

/** 3.5 characters, ms. */
export const silenceMs = ({ baud }: Pick<Line, 'baud'>): number =>
  baud > fastBaud ? fastSilenceMs : (3.5 * charBits * 1_000) / baud

/** How long one request takes about, ms: told before anything is connected. */
export const requestMs = (config: Config, { read, length }: Run): number => {
  if (!sharesOneLine(config)) return tcpMs
  const values = read <= 2 ? Math.ceil(length / 8) : 2 * length
  const { baud } = config.line ?? assumed
  const chars = frameBytes.request + frameBytes.answer + values
  return Math.ceil((chars * charBits * 1_000) / baud + 2 * silenceMs({ baud }) + thinkMs)
}

/** Whether all units are reached over one line, where one request is on the way at a time. */
export const sharesOneLine = (config: Config): boolean =>
  config.line !== undefined || config.framing === 'rtu'
