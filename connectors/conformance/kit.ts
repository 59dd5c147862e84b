import { declarationCases } from './declaration.ts'
import { disturbedCases } from './disturbed.ts'
import { guarded } from './guard.ts'
import { inputCases } from './inputs.ts'
import { lifeCases } from './life.ts'
import { orderCases } from './orders.ts'
import type { Subject } from './subject.ts'

export { message } from './message.ts'
export type { Behaviour, Button, Peer, Stage, Subject, Trial, Written } from './subject.ts'

/** One thing that every connector must do. It rejects when this one doesn't. */
export interface Case {
  readonly name: string
  run(): Promise<void>
}

/**
 * The cases for one connector of contract 1; several subjects are several ways to set it up, which together must try
 * all that it declares. Run them one after the other, with any runner: each looks for what the one before left open.
 */
export const cases = async (...subjects: readonly [Subject, ...Subject[]]): Promise<readonly Case[]> => {
  const all = await declarationCases(subjects)
  for (const subject of subjects) {
    const stage = await subject.start()
    await stage.close()
    const own = [
      ...lifeCases(subject, stage),
      ...orderCases(subject, stage),
      ...inputCases(subject, stage),
      ...disturbedCases(subject, stage),
    ]
    const prefix = subject.name === undefined ? '' : `${subject.name}: `
    all.push(...own.map(({ name, run }) => ({ name: prefix + name, run })))
  }
  return all.map(({ name, run }) => ({ name, run: () => guarded(run) }))
}
