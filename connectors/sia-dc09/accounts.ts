import type { Opening } from '../../core/connector.ts'
import type { Meaning } from './codes.ts'
import type { Config, Input } from './index.ts'
import { type Event, numberOf } from './payload.ts'

/** An account as the config knows it. */
export interface Account {
  /** In upper case; zeros at its start belong to it. */
  readonly name: string
  /** The key of encrypted messages; null where they come in clear; `unusable` where what is written is no key. */
  readonly key: Buffer | null | 'unusable'
  /** People by the number of their code. */
  readonly users: ReadonlyMap<string, string>
  readonly devices: readonly Placed[]
}

/** A device and where it is on an account. */
interface Placed {
  readonly device: string
  readonly zone: string | null
  readonly user: string | null
  readonly partition: string | null
  readonly codes: ReadonlySet<string> | null
}

/** Digits of an account are hex digits: their case says nothing. */
export const accountName = (written: string): string => written.toUpperCase()

const placed = (device: string, input: Input): Placed => {
  const number = (value: number | string | undefined) =>
    value === undefined ? null : numberOf(String(value))
  return {
    device,
    zone: number(input.zone),
    user: number(input.user),
    partition: number(input.partition),
    codes: input.codes ? new Set(input.codes.map((code) => code.toUpperCase())) : null,
  }
}

/** Every account that the config names, by itself or by a device on it. */
export const accountsOf = (
  { config, inputs }: Pick<Opening<Config, Input, never>, 'config' | 'inputs'>,
  keys: ReadonlyMap<string, Buffer | 'unusable'>,
): ReadonlyMap<string, Account> => {
  const devices = Map.groupBy(inputs, ([, { account }]) => accountName(account))
  const settings = new Map(
    Object.entries(config.accounts).map(([written, each]) => [accountName(written), each]),
  )
  return new Map(
    [...new Set([...settings.keys(), ...devices.keys()])].map((name) => [
      name,
      {
        name,
        key: keys.get(name) ?? null,
        users: new Map(
          Object.entries(settings.get(name)?.users ?? {}).map(([user, person]) => [numberOf(user), person]),
        ),
        devices: (devices.get(name) ?? []).map(([device, input]) => placed(device, input)),
      },
    ]),
  )
}

/** The user that an event names: by its own modifier, or as the number of a code that counts users. */
const userOf = (event: Event, { counts }: Meaning): string | null =>
  event.user ?? (counts === 'zone' ? null : event.number)

/**
 * How well a device fits an event; 0 when it doesn't. A code counts zones or users, and a device on zone 5 is not meant by
 * user 5: it would send people to the wrong room. A device that lists the code itself takes its number as it comes.
 */
const pointsOf = (placed: Placed, event: Event, meaning: Meaning): number => {
  const { zone, user, partition, codes } = placed
  if (codes && !codes.has(event.code)) return 0
  if (partition !== null && partition !== event.partition) return 0
  const listed = codes !== null
  const isZone = zone !== null && zone === event.number && (listed || meaning.counts !== 'user')
  const isUser = user !== null && (user === userOf(event, meaning) || (listed && user === event.number))
  if ((zone !== null && !isZone) || (user !== null && !isUser)) return 0
  // A zone before a user: a code that may count both comes from a point on the wall more often.
  const points = (listed ? 16 : 0) + (isZone ? 8 : 0) + (isUser ? 4 : 0) + (partition === null ? 0 : 2)
  return 1 + points
}

/** The device that an event is of: the one that says most about where it is; null when none fits. */
export const deviceOf = (account: Account, event: Event, meaning: Meaning): string | null => {
  let best: Placed | null = null
  let points = 0
  for (const each of account.devices) {
    const found = pointsOf(each, event, meaning)
    if (found <= points) continue
    best = each
    points = found
  }
  return best?.device ?? null
}

/** The device that stands for the whole account; null where there is none. */
export const wholeOf = (account: Account | null): string | null =>
  account?.devices.find(
    ({ zone, user, partition, codes }) =>
      zone === null && user === null && partition === null && codes === null,
  )?.device ?? null

/** The devices that an opening or a closing is worth knowing for: all of the account, or of its partition. */
export const neighbours = (account: Account, event: Event): string[] =>
  account.devices
    .filter(
      ({ partition }) => partition === null || event.partition === null || partition === event.partition,
    )
    .map(({ device }) => device)

/** Who entered a code; a device found by its zone says nothing about a user of the same number. */
export const personOf = (
  account: Account | null,
  event: Event,
  meaning: Meaning,
  device: string | null,
): string | null => {
  const user = userOf(event, meaning)
  if (account === null || user === null) return null
  const isZone =
    meaning.counts === 'either' &&
    event.user === null &&
    account.devices.some((each) => each.device === device && each.zone !== null)
  return isZone ? null : (account.users.get(user) ?? null)
}

/** Where it comes from, in words. */
export const wordsOf = (account: string, event: Event | null, meaning: Meaning | null): string => {
  const parts = [`account ${account}`]
  const { partition, number, text, user } = event ?? {}
  if (partition && partition !== '0') parts.push(`area ${partition}`)
  if (meaning && number && number !== '0')
    parts.push(`${meaning.counts === 'either' ? 'zone or user' : meaning.counts} ${number}`)
  if (user && !(meaning?.counts === 'user' && user === number)) parts.push(`user ${user}`)
  if (text) parts.push(`"${text.slice(0, 80)}"`)
  return parts.join(', ')
}
