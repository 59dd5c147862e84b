#!/usr/bin/env -S node --max-semi-space-size=8
// JavaScript, the only file: for the first one in TypeScript Node would load its compiler before the cache is there.
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// V8 lets what is young grow to 64 MB before it looks; 8 MB cost no time that could be measured (docs/bench.md).
// Starts in half the time, threads included, which inherit the variable. Beside the packages, where nobody writes who
// may not change the program itself.
process.env['NODE_COMPILE_CACHE'] = join(import.meta.dirname, 'node_modules', '.cache', 'duress-bridge')
enableCompileCache(process.env['NODE_COMPILE_CACHE'])

await import('./cli/commands.ts')
