import type { Kind, Trouble } from '../../core/fact.ts'
import type { Counts, Meaning } from './codes.ts'

/** Event codes of the SIA format (SIA DC-03, as DC-09 carries them): the first letter is the family, the second what happened. */

interface Family {
  readonly words: string
  readonly kind: Kind
  readonly counts?: Counts
  readonly fire?: true
}

const families: Readonly<Record<string, Family>> = {
  B: { words: 'burglary', kind: 'unknown' },
  F: { words: 'fire', kind: 'hazard', fire: true },
  G: { words: 'gas', kind: 'hazard' },
  // Makers send the duress code by it as well as the hold-up button: its number is a user or a zone.
  H: { words: 'hold-up or duress', kind: 'duress', counts: 'either' },
  K: { words: 'heat', kind: 'hazard' },
  M: { words: 'medical', kind: 'medical' },
  P: { words: 'panic', kind: 'duress' },
  Q: { words: 'personal emergency', kind: 'medical' },
  S: { words: 'sprinkler', kind: 'hazard' },
  U: { words: 'untyped zone', kind: 'unknown' },
  W: { words: 'water', kind: 'hazard' },
  Z: { words: 'freeze', kind: 'hazard' },
}

type Ending = (family: Family) => Meaning

const endOf = ({ counts = 'zone' }: Family) => counts

const called =
  (phase: 'active' | 'restored'): Ending =>
  (family) => ({
    is: 'press',
    kind: family.kind,
    phase,
    words: phase === 'active' ? family.words : `${family.words}, over`,
    counts: endOf(family),
    ...(family.fire && { fire: true }),
  })

const troubled =
  (trouble: Trouble['trouble'], phase: 'active' | 'restored', what: string): Ending =>
  (family) => ({ is: 'trouble', trouble, phase, words: `${family.words}: ${what}`, counts: endOf(family) })

/** The second letters that mean the same in each family. */
const endings: Readonly<Record<string, Ending>> = {
  A: called('active'),
  R: called('restored'),
  H: called('restored'),
  T: troubled('fault', 'active', 'trouble'),
  J: troubled('fault', 'restored', 'trouble over'),
  S: troubled('fault', 'active', 'supervision'),
  B: troubled('bypassed', 'active', 'bypassed'),
  U: troubled('bypassed', 'restored', 'bypass ended'),
}

const trouble = (
  which: Trouble['trouble'],
  phase: 'active' | 'restored',
  words: string,
  codes: string,
  counts: Counts = 'zone',
): [string, Meaning][] =>
  codes.split(' ').map((code) => [code, { is: 'trouble', trouble: which, phase, words, counts }])

const context = (words: string, codes: string, counts: Counts = 'zone'): [string, Meaning][] =>
  codes.split(' ').map((code) => [code, { is: 'context', words, counts }])

const call = (kind: Kind, words: string, codes: string): [string, Meaning][] =>
  codes.split(' ').map((code) => [code, { is: 'press', kind, phase: 'active', words, counts: 'zone' }])

/** Codes that don't follow the rule of the letters. */
const codes: ReadonlyMap<string, Meaning> = new Map([
  ...call('unknown', 'burglary, verified', 'BG BM BV'),
  ...call('unknown', 'exit alarm', 'EA'),
  ...call('unknown', 'untyped zone', 'UG UX'),
  ...call('hazard', 'fire, verified', 'FG FM FV'),
  ...trouble('tamper', 'active', 'tamper', 'TA TT ES'),
  ...trouble('tamper', 'active', 'wrong code entered', 'JA', 'user'),
  ...trouble('tamper', 'active', 'radio receiver tamper', 'XS'),
  ...trouble('tamper', 'restored', 'tamper over', 'TR TH TJ EJ XJ'),
  ...trouble('bypassed', 'active', 'tamper bypassed', 'TB'),
  ...trouble('bypassed', 'restored', 'tamper bypass ended', 'TU'),
  ...trouble('low-battery', 'active', 'battery low', 'YT XT YM'),
  ...trouble('low-battery', 'restored', 'battery restored', 'YR XR'),
  ...trouble('power-loss', 'active', 'mains lost', 'AT'),
  ...trouble('power-loss', 'restored', 'mains restored', 'AR'),
  ...trouble('power-loss', 'active', 'power supply trouble', 'YP YI'),
  ...trouble('power-loss', 'restored', 'power supply restored', 'YQ YJ'),
  ...trouble('comm-loss', 'active', 'communication failed', 'YC YS LT NT'),
  ...trouble('comm-loss', 'restored', 'communication restored', 'YK LR NR'),
  ...trouble('comm-loss', 'active', 'supervision lost', 'BZ EM EZ UY UZ FY FZ XL XQ'),
  ...trouble('comm-loss', 'restored', 'supervision restored', 'EN XH'),
  ...trouble('forced', 'active', 'door forced', 'DF DJ'),
  ...trouble('held-open', 'active', 'door held open', 'DL DM DN'),
  ...trouble('held-open', 'restored', 'door closed', 'DH DR'),
  ...trouble(
    'fault',
    'active',
    'equipment trouble',
    'BD ET IA YA YD YF YG YU YW YX YN YO RT OU XM XX NA AN AS CI OI RA VT VO',
  ),
  ...trouble('fault', 'restored', 'equipment restored', 'BE ER IR YH YE YZ OV NS VR VI VY'),
  ...context('opened', 'OA OC OG OH OK OJ OL OP OQ OR OS OT OZ', 'user'),
  ...context('closed', 'CA CD CE CF CG CJ CK CL CM CO CP CQ CR CS CT CW CX CZ NF NL', 'user'),
  ...context('alarm cancelled by a user', 'BC FC', 'user'),
  ...context('bypass changed', 'BF FF'),
  ...context('manual test', 'RX', 'user'),
  ...context('periodic test', 'RP TX'),
  ...context('test begun', 'TS TW FI', 'user'),
  ...context('test ended', 'TE TZ FK', 'user'),
  ...context('test of a point', 'TP TC BX FX GX HX KX MX PX QX SX WX VX'),
  ...context('programming', 'LB LD LS LU LX RB RC RD RN RO RS RU YB YY', 'user'),
  ...context('door access', 'DA DB DC DD DE DG DI DK DO DP DQ DS DU DV DW DX DY DZ', 'user'),
  ...context('system event', 'JD JH JK JL JO JP JR JS JT JV JX JY JZ LE LF RR RY XA XE XF XI XW EE EX VX'),
  ...context('network condition', 'NC NM DT VZ RW'),
])

/** What a code means; one that nobody knows is a call of kind `unknown`. */
export const siaMeaning = (code: string): Meaning => {
  const known = codes.get(code)
  if (known) return known
  const family = families[code[0] as string]
  const ending = endings[code[1] as string]
  if (family && ending) return ending(family)
  return { is: 'press', kind: 'unknown', phase: 'active', words: 'unknown code', counts: 'zone' }
}
