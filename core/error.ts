/**
 * Every code that an error, a failed outcome or an HTTP answer of ours may carry.
 * `docs/errors.md` is generated from this table.
 */
export const errors = {
  // Outcomes of commands and of probes
  TIMEOUT: {
    means: 'The target did not answer in time.',
    do: 'Check that the target is powered and reachable; raise the timeout only if it is known to be slow.',
  },
  UNREACHABLE: {
    means: 'No connection to the target: refused, reset, no route or name not found.',
    do: 'Check address, port, cabling and firewall.',
  },
  LINK_DOWN: {
    means: 'The link that the target belongs to is not open at the moment.',
    do: 'See the fault of the link; the bridge reopens it by itself.',
  },
  UNAUTHORIZED: {
    means: 'The target refused our credentials.',
    do: 'Check the user, the password or token, and the rights of the account.',
  },
  NOT_FOUND: {
    means: 'The target does not know the token, preset, pager, register or path that was asked for.',
    do: 'Compare the address in the config with what the target lists.',
  },
  UNSUPPORTED: {
    means: 'The target does not offer this capability.',
    do: 'Take it out of the plan, or use another device.',
  },
  REFUSED: {
    means: 'The target understood and said no.',
    do: 'Read the message: it carries what the target said.',
  },
  BUSY: { means: 'The target asked to try later.', do: 'Nothing; the bridge tries again.' },
  BAD_ANSWER: {
    means: 'The answer is not what the protocol allows.',
    do: 'Check that the right kind of device is at this address; see the log for the bytes.',
  },
  UNCONFIRMED: {
    means: 'The command was accepted, but the target does not report the state that was asked for.',
    do: 'Go and look; then check the device.',
  },
  ABORTED: { means: 'Given up before it started: no longer wanted, or the link is closing.', do: 'Nothing.' },
  CRASHED: {
    means: 'The code that runs this command failed in a way it should not.',
    do: 'Report it with the log entry.',
  },
  WORKER_LATE: {
    means: 'A worker did not start a command in time, or it is not known whether it did.',
    do: 'Nothing; it goes another way at once. See the fault of the worker.',
  },
  INVALID_ARGS: { means: 'The command does not fit the target.', do: 'Run `duress-bridge check`.' },
  SECRET_MISSING: {
    means: 'A secret that the config refers to is not there.',
    do: 'Set the environment variable or create the file named in the message.',
  },
  CONFIG_TARGET: {
    means: 'The device at this address is not what the config says.',
    do: 'Run `duress-bridge probe` and correct the config.',
  },
  // Taking in
  NOT_RECORDED: {
    means: 'The press is being responded to, but it could not be written to disk.',
    do: 'Send it again; see the fault of the store.',
  },
  TOO_BUSY: { means: 'More input than the budget of this source allows.', do: 'Slow down; send it again.' },
  BAD_REQUEST: { means: 'The request is not valid.', do: 'Correct it as the message says.' },
  BAD_SIGNATURE: {
    means: 'The signature, token or time of the request is not valid.',
    do: 'Check the shared secret and the clock of the sender.',
  },
  TOO_LARGE: {
    means: 'The request is larger than allowed.',
    do: 'Send less, or raise the limit in the config.',
  },
  // API and program
  FORBIDDEN: {
    means: 'The token is missing or its role may not do this.',
    do: 'Use a token with the role named in the message.',
  },
  UNKNOWN_INCIDENT: { means: 'There is no incident with this id.', do: 'List the incidents.' },
  UNKNOWN_DEVICE: { means: 'There is no device with this name.', do: 'List the devices.' },
  CONFLICT: {
    means: 'The incident is not in a state in which this can be done.',
    do: 'Look at the incident first.',
  },
  NOT_LISTENING: {
    means: 'The program could not listen on its address.',
    do: 'See who has the port; change `api.listen`.',
  },
  BAD_CONFIG: {
    means: 'The config has findings that must be corrected before anything starts.',
    do: 'Correct each finding; `duress-bridge check FILE` lists them.',
  },
  DATA_IN_USE: {
    means: 'Another process owns the data directory.',
    do: 'Stop it, or use another --data directory.',
  },
  SCHEMA_TOO_NEW: {
    means: 'The data was written by a newer version.',
    do: 'Install that version again, or restore the backup made before the upgrade.',
  },
  STORE_FAILED: {
    means: 'The store could not be opened or used.',
    do: 'Check disk space, permissions and health of the disk that holds --data.',
  },
  CHAIN_BROKEN: {
    means: 'The trail is not what was written.',
    do: 'Keep the file as evidence, compare the exported head, restore a backup beside it.',
  },
} as const satisfies Record<string, { means: string; do: string }>

export type ErrorCode = keyof typeof errors

/** An operating error: says what, where, and what to do. */
export class BridgeError extends Error {
  override readonly name = 'BridgeError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }
}

/** The message of anything thrown, bounded: drivers put whole requests into theirs. */
export const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message || error.name : String(error)).slice(0, 500)
