import { capabilities } from '../../core/capability.ts'
import type { Finding, Opening } from '../../core/connector.ts'
import type { Json } from '../../core/fact.ts'
import { problemsOf } from './codec.ts'
import { syntaxProblem } from './expression.ts'
import type { Config, ConfirmConfig, RequestConfig, Target } from './index.ts'

type Path = readonly (string | number)[]
type Locking = 'door.secure' | 'door.lockdown'

const fatal = (path: Path, message: string): Finding => ({ path, message, fatal: true })

/** Everything about a config that can be told without a wire. */
export const check = ({ config, outputs }: Omit<Opening<Config, never, Target>, 'cursors'>): Finding[] => [
  ...checkTargets(config, outputs),
  ...checkProfile(config),
  ...checkDoors(config),
  ...checkSecrecy(config, outputs),
  ...Object.entries(config.requests).flatMap(([capability, request]) =>
    checkRequest(capability, request, [...outputs.values()]),
  ),
]

const checkTargets = (config: Config, outputs: ReadonlyMap<string, Target>): Finding[] =>
  [...outputs].flatMap(([name, target]) => [
    ...(target.url === undefined && config.url === undefined
      ? [fatal(['outputs', name], 'has no `url`, and its connector has none either')]
      : []),
    ...(config.profile === 'axis-door' && target.values['token'] === undefined
      ? [fatal(['outputs', name, 'values'], 'the profile axis-door needs `values: { token: … }`')]
      : []),
  ])

const checkProfile = (config: Config): Finding[] => {
  const path = ['config', 'requests']
  if (!config.profile)
    return Object.keys(config.requests).length === 0
      ? [fatal(path, 'there is nothing that it can do: write `requests`, or a `profile`')]
      : []
  return Object.keys(config.requests)
    .filter((name) => name.startsWith('door.') && name !== 'door.highlight')
    .map((name) =>
      fatal([...path, name], `is already part of the profile ${config.profile}: take one of them out`),
    )
}

/** A door that we lock is a door that we can read and release. */
const checkDoors = ({ requests, profile }: Config): Finding[] =>
  profile
    ? []
    : (['door.secure', 'door.lockdown'] as const)
        .filter((name) => requests[name])
        .flatMap((name: Locking) =>
          (['door.state', 'door.release'] as const)
            .filter((needed) => !requests[needed])
            .map((needed) =>
              fatal(
                ['config', 'requests', name],
                `needs \`${needed}\` beside it: a door is read and released too`,
              ),
            ),
        )

const checkSecrecy = (config: Config, outputs: ReadonlyMap<string, Target>): Finding[] => {
  const urls = [config.url, ...[...outputs.values()].map(({ url }) => url)]
  const open = urls.find((url) => url && /^http:\/\/(?!127\.|localhost\b|\[::1\])/i.test(url))
  // Digest never shows the password; all else does.
  return config.auth && open && !('digest' in config.auth)
    ? [{ path: ['config', 'auth'], message: `travels in clear to ${open}: use https`, fatal: false }]
    : []
}

const checkRequest = (capability: string, request: RequestConfig, targets: readonly Target[]): Finding[] => {
  const path: Path = ['config', 'requests', capability]
  const values = commonValues(targets)
  const { proof } = capabilities[capability as keyof typeof capabilities]
  const unproven = proof === 'confirmed' && capability !== 'door.state' && !request.confirm
  const blind =
    (capability === 'door.state' && !request.result) ||
    (capability.startsWith('door.') && request.confirm && !request.confirm.result)
  return [
    ...checkTemplates(capability, request, path, values),
    ...(request.confirm ? checkTemplates(capability, request.confirm, [...path, 'confirm'], values) : []),
    ...checkExpressions(path, { 'success.test': request.success?.test, result: request.result }),
    ...checkExpressions([...path, 'confirm'], {
      test: request.confirm?.test,
      result: request.confirm?.result,
    }),
    ...(unproven
      ? [fatal(path, 'needs `confirm`: what it sets must be read back, an answer proves nothing')]
      : []),
    ...(blind
      ? [
          fatal(
            capability === 'door.state' ? path : [...path, 'confirm'],
            'needs `result`: JSONata that makes { "mode": …, "open": … } of the answer',
          ),
        ]
      : []),
  ]
}

const checkTemplates = (
  capability: string,
  { path, headers, body }: RequestConfig | ConfirmConfig,
  at: Path,
  values: readonly string[],
): Finding[] => {
  const find = (field: string, template: unknown) =>
    problemsOf((template ?? null) as Json, capability, values).map((message) =>
      fatal([...at, field], message),
    )
  return [...find('path', path), ...find('headers', headers), ...find('body', body)]
}

/** The names that all targets of a connector have a value for. */
const commonValues = (targets: readonly Target[]): string[] => {
  const [first, ...others] = targets
  const names = Object.keys(first?.values ?? {})
  return names.filter((name) => others.every(({ values }) => Object.hasOwn(values, name)))
}

const checkExpressions = (path: Path, expressions: { [field: string]: string | undefined }): Finding[] =>
  Object.entries(expressions).flatMap(([field, text]) => {
    const problem = text === undefined ? null : syntaxProblem(text)
    return problem === null ? [] : [fatal([...path, ...field.split('.')], problem)]
  })
