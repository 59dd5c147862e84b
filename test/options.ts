import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'

/** What a program of the tests was started with. `--help` prints its usage; what it does not know ends it, with code 2. */
export const optionsOf = <const Options extends ParseArgsOptionsConfig>(usage: string, options: Options) => {
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } })
    if (!(values as { help?: boolean }).help) return values
    console.log(usage)
    process.exit(0)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message.split('. ')[0] : error}\n${usage}`)
    process.exit(2)
  }
}
