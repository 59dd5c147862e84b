import type { Capability } from '../../core/capability.ts'
import { done, failed, type Order, type Outcome } from '../../core/command.ts'
import type { Context } from '../../core/connector.ts'
import { messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { fit as textFor } from '../../core/message/fit.ts'
import type { Message } from '../../core/message/message.ts'
import { compileJson, compileText, type Escape, type Filled, type View } from './codec.ts'
import { readBack } from './confirm.ts'
import { defaultBody, defaultType } from './default.ts'
import { type Ended, type Sending, valueIn } from './exchange.ts'
import { compileExpression, type Expression } from './expression.ts'
import type { ConfirmConfig, RequestConfig, Target } from './index.ts'
import { harmless, messageIn, outcomeOfBroken, outcomeOfStatus } from './outcome.ts'
import type { HttpServer } from './server.ts'

export type HttpOrder = Order<Target, any>
export type Act = (order: HttpOrder) => Promise<Outcome>

type Build = (order: HttpOrder, view: View) => Sending

/** Compiles a configured request to an act: what does not depend on the order is done here, once. */
export const compileRequest = (
  capability: Capability,
  request: RequestConfig,
  server: HttpServer,
  ctx: Context,
  characters: number,
): Act => {
  const what = capability.name
  const fallback = what === 'door.state' ? 'GET' : 'POST'
  const build = compileSending(what, request, fallback, server)
  const isSuccess = statusTest(request.success?.status)
  const test = expressionOf(request.success?.test)
  const result = expressionOf(request.result)
  const confirm = request.confirm && compileConfirm(capability, request.confirm, server, ctx)
  const wanted = Boolean(test ?? result)

  const act: Act = async (order) => {
    if (order.signal.aborted)
      return failed('ABORTED', `${what} at ${server.origin}: given up before it started`)
    const view = viewOf(order, ctx, characters)
    let sending: Sending
    try {
      sending = build(order, view)
    } catch (error) {
      return failed('INVALID_ARGS', `${what} at ${server.origin}: ${messageOf(error)}`, { retry: 'never' })
    }
    const ended = await server.send(sending, order.signal, wanted)
    if (ended.is === 'broken') return outcomeOfBroken(ended, what, server)
    if (!isSuccess(ended.status)) return outcomeOfStatus(ended, what, server, ctx.clock.now())
    if (!wanted && !confirm) return done('answered')
    const judged = await judge(capability, ended, test, result, server)
    if (!judged.ok || !confirm) return judged
    return confirm(order, view)
  }
  return what === 'door.state' ? async (order) => harmless(await act(order)) : act
}

/** Looks into a success: the test on its body, and the result that it makes. */
const judge = async (
  capability: Capability,
  { status, body }: Extract<Ended, { is: 'answered' }>,
  test: Expression | null,
  result: Expression | null,
  server: HttpServer,
): Promise<Outcome> => {
  const at = `${capability.name} at ${server.origin}`
  const effect = 'possible'
  const value = valueIn(body)
  try {
    if (test && (await test.evaluate(value, { status })) !== true)
      return failed('REFUSED', `${at}: ${status}, but the answer is no success: "${server.said(body)}"`, {
        effect,
      })
    if (!result) return done('answered')
    const made = capability.result.safeParse(await result.evaluate(value, { status }))
    if (!made.success)
      return failed('BAD_ANSWER', `${at}: no ${capability.name} result in "${server.said(body)}"`, { effect })
    // Reading is its own proof.
    return done(capability.name === 'door.state' ? 'confirmed' : 'answered', made.data as Json)
  } catch (error) {
    return failed('BAD_ANSWER', `${at}: the answer can't be judged: ${messageOf(error)}`, { effect })
  }
}

/** Asks until the wanted state is reported; what is not is never called done. */
const compileConfirm = (capability: Capability, confirm: ConfirmConfig, server: HttpServer, ctx: Context) => {
  const build = compileSending(capability.name, confirm, 'GET', server)
  const test = compileExpression(confirm.test)
  const result = expressionOf(confirm.result)
  const what = `${capability.name} at ${server.origin}`

  return (order: HttpOrder, view: View): Promise<Outcome> =>
    readBack(ctx.clock, confirm, order.signal, what, async (signal) => {
      const ended = await server.send(build(order, view), signal, true)
      if (ended.is === 'broken') return messageIn(outcomeOfBroken(ended, 'reading back', server))
      const reported = `it reports ${ended.status} "${server.said(ended.body)}"`
      if (ended.status >= 300) return reported
      const judged = await judge(capability, ended, test, result, server)
      if (!judged.ok) return reported
      return done('confirmed', capability.name === 'relay.set' && !result ? order.args : judged.result)
    })
}

const compileSending = (
  capability: string,
  request: RequestConfig | ConfirmConfig,
  fallback: 'GET' | 'POST',
  server: HttpServer,
): Build => {
  const method = request.method ?? fallback
  const path = compileText(server.base + request.path || '/', 'path')
  const given = Object.entries(request.headers ?? {})
  const type = given.find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  const body = method === 'GET' ? null : compileBody(capability, request.body, type)
  const fixed = [...server.headers, ...given.filter(([, value]) => !value.includes('{{')).flat()]
  if (body && type === undefined) fixed.push('content-type', defaultType(capability, request.body))
  const filled = given
    .filter(([, value]) => value.includes('{{'))
    .map(([name, value]) => [name, compileText(value, 'header')] as const)

  return (order, view) => {
    const own = method === 'GET' ? [] : ['idempotency-key', encodeURI(order.id)]
    for (const [name, value] of filled) own.push(name, value(view))
    const headers = [...fixed, ...own]
    return { method, path: path(view) || '/', headers, body: body ? body(view) : null }
  }
}

/** A text is escaped as its content type wants it, so that a name with a quote or a "<" stays a name. */
const compileBody = (
  capability: string,
  body: RequestConfig['body'],
  type: string | undefined,
): Filled | null => {
  if (body === undefined) return defaultBody(capability)
  if (typeof body !== 'string') return compileJson(body as Json)
  const how: Escape = /json/i.test(type ?? '')
    ? 'json'
    : /xml|html/i.test(type ?? '')
      ? 'xml'
      : /x-www-form-urlencoded/i.test(type ?? '')
        ? 'form'
        : 'plain'
  return compileText(body, how)
}

const statusTest = (statuses: readonly number[] | undefined): ((status: number) => boolean) => {
  if (!statuses) return (status) => status >= 200 && status < 300
  const set = new Set(statuses)
  return (status) => set.has(status)
}

const expressionOf = (text: string | undefined): Expression | null =>
  text === undefined ? null : compileExpression(text)

const viewOf = (order: HttpOrder, ctx: Context, characters: number): View => {
  const message = (order.args as { message?: Message }).message ?? null
  let text: string | undefined
  return {
    id: order.id,
    attempt: order.attempt,
    args: order.args,
    values: order.address.values,
    message,
    text: () => {
      text ??= message ? textFor(message, { characters, charset: 'unicode', now: ctx.clock.now() }) : ''
      return text
    },
  }
}
